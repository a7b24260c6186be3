package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Files of /proc/<pid>.
func proc(pid int, file string) string { return fmt.Sprintf("/proc/%d/%s", pid, file) }

// ticks of the clock of /proc/<pid>/stat in a second.
const ticks = 100

// pss is the memory of a process, what it shares with others counted in part.
func pss(pid int) (bytes int64, err error) {
	kilobytes, err := field(proc(pid, "smaps_rollup"), "Pss:")
	return kilobytes << 10, err
}

// resident is the memory of a process, what it shares with others included.
func resident(pid int) (bytes int64, err error) {
	kilobytes, err := field(proc(pid, "status"), "VmRSS:")
	return kilobytes << 10, err
}

// written is how much a process has had written to disks.
func written(pid int) (bytes int64, err error) { return field(proc(pid, "io"), "write_bytes:") }

// field finds the number that follows a name.
func field(path, name string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, name); found {
			return strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}

// cpuTime is what a process has used so far.
func cpuTime(pid int) (time.Duration, error) {
	user, err := statField(pid, 14)
	if err != nil {
		return 0, err
	}
	system, err := statField(pid, 15)
	return time.Duration(user+system) * time.Second / ticks, err
}

// leads says whether a process leads its session, as the main process of an
// agent does.
func leads(pid int) bool {
	session, err := statField(pid, 6)
	return err == nil && session == pid
}

// statField is a field of /proc/<pid>/stat, numbered as proc(5) does.
func statField(pid, number int) (int, error) {
	text, err := os.ReadFile(proc(pid, "stat"))
	if err != nil {
		return 0, err
	}
	// The name, which is field 2 and in brackets, may hold anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	return strconv.Atoi(string(fields[number-3]))
}

// Variables of an agent that name its place.
const (
	varFolder = "SLIPWAY_FOLDER"
	varState  = "SLIPWAY_STATE_DIR"
	varSocket = "SLIPWAY_SOCKET"
)

// agent is a process that an instance of a server runs as.
type agent struct {
	pid int
	env []string
}

// agents finds those whose folders lie below a folder of data.
func agents(data string) []agent {
	var found []agent
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		env := strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil && strings.HasPrefix(value(env, varFolder), data+"/") {
			found = append(found, agent{pid, env})
		}
	}
	return found
}

// value of a variable.
func value(env []string, name string) string {
	for _, pair := range env {
		if v, found := strings.CutPrefix(pair, name+"="); found {
			return v
		}
	}
	return ""
}

func killAgents(data string) {
	for _, a := range agents(data) {
		_ = syscall.Kill(a.pid, syscall.SIGKILL)
	}
}
