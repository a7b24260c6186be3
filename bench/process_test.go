package main

import (
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/slipwayhq/slipway/internal/testsignal"
)

func TestOwnProcess(t *testing.T) {
	memory, err := pss(os.Getpid())
	if err != nil || memory < 1<<20 {
		t.Errorf("pss %d, %v", memory, err)
	}
	if _, err := cpuTime(os.Getpid()); err != nil {
		t.Error(err)
	}
	if _, err := written(os.Getpid()); err != nil {
		t.Error(err)
	}
}

func TestAgents(t *testing.T) {
	data := t.TempDir()
	cmd := exec.Command("sleep", "60")
	cmd.Env = []string{varFolder + "=" + data + "/deployments/d/instances/i", "PORT=1"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	testsignal.Until(t, "the agent", func() bool { return len(agents(data)) > 0 }) // its variables show a moment after exec
	if found := agents(data); found[0].pid != cmd.Process.Pid || value(found[0].env, "PORT") != "1" {
		t.Errorf("found %v", found)
	}
	if other := agents(data + "/deploy"); len(other) > 0 {
		t.Errorf("found below another folder: %v", other)
	}
	killAgents(data)
}

func TestReplace(t *testing.T) {
	env := []string{"A=1", "B=2=3"}
	got := replace(env, map[string]string{"B": "4", "C": "5"})
	if !slices.Equal(got, []string{"A=1", "B=4"}) || env[1] != "B=2=3" {
		t.Errorf("got %v from %v", got, env)
	}
}
