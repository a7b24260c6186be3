package command

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// markName is a variable that every program gets, and hands on to its
// descendants wherever they hide.
const markName = "SLIPWAY_BUILD"

// KillMarked ends every process that runs under a mark, or under one that
// begins with it and a slash, and what they start meanwhile.
func KillMarked(mark string) {
	for killed := true; killed; {
		killed = false
		for _, pid := range processes() {
			if marked(pid, mark) && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed = true
			}
		}
	}
}

func processes() []int {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// marked reads a process's first environment; a dead one has none.
func marked(pid int, mark string) bool {
	environment, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		if value, ok := strings.CutPrefix(string(variable), markName+"="); ok {
			return value == mark || strings.HasPrefix(value, mark+"/")
		}
	}
	return false
}
