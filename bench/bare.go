package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bare starts what a server started, by hand.
type bare struct {
	args, env []string
}

// bareOf takes arguments and variables from the one agent of a folder of data.
func bareOf(data string) (bare, error) {
	found := slices.DeleteFunc(agents(data), func(a agent) bool { return !leads(a.pid) })
	if len(found) != 1 {
		return bare{}, fmt.Errorf("%d agents run, not one", len(found))
	}
	line, err := os.ReadFile(proc(found[0].pid, "cmdline"))
	return bare{strings.Split(strings.TrimRight(string(line), "\x00"), "\x00"), found[0].env}, err
}

// start starts it on new folders and a port of its own, and returns the time
// from exec to the first 200. Then it is killed.
func (b bare) start(ctx context.Context, l *lab, every time.Duration) (time.Duration, error) {
	place, err := l.folder("bare")
	if err != nil {
		return 0, err
	}
	defer removeAll(place)
	address, err := freeAddress()
	if err != nil {
		return 0, err
	}
	cmd, output, err := b.command(place, address)
	if err != nil {
		return 0, err
	}
	defer output.Close()
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	err = answers(ctx, "http://"+address+"/ok", every, ended)
	took := time.Since(begun)
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with its children
	<-ended
	if err != nil {
		text, _ := os.ReadFile(output.Name())
		err = fmt.Errorf("bare start: %w\n%s", err, text)
	}
	return took, err
}

// command has a session and the folders that the process driver makes, and
// prints to a file as there.
func (b bare) command(place, address string) (*exec.Cmd, *os.File, error) {
	folder := func(name string) string { return filepath.Join(place, name) }
	for _, name := range []string{"work", "tmp", "state"} {
		if err := os.Mkdir(folder(name), 0o700); err != nil {
			return nil, nil, err
		}
	}
	output, err := os.Create(folder("output.log"))
	if err != nil {
		return nil, nil, err
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, nil, errors.Join(err, output.Close())
	}
	cmd := exec.Command(b.args[0], b.args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder("work"), output, output
	cmd.Env = replace(b.env, map[string]string{
		"HOME": folder("work"), "TMPDIR": folder("tmp"), "HOST": host, "PORT": port,
		varFolder: place, varState: folder("state"), varSocket: "", // at the port
	})
	return cmd, output, nil
}

// replace gives variables that are set other values.
func replace(env []string, values map[string]string) []string {
	env = slices.Clone(env)
	for i, pair := range env {
		name, _, _ := strings.Cut(pair, "=")
		if v, there := values[name]; there {
			env[i] = name + "=" + v
		}
	}
	return env
}
