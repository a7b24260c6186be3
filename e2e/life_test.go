package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway/client"
)

func TestAgentsOutliveTheServer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	thread := d.scenario("remember-write")["thread_id"].(string)
	before := mains(s.data)
	if len(before) != 1 {
		t.Fatalf("agents: %v", before)
	}
	for _, end := range []func(){func() { s.stop() }, s.kill, s.kill} {
		end()
		if now := mains(s.data); fmt.Sprint(now) != fmt.Sprint(before) {
			t.Fatalf("without a server: agents %v, were %v", now, before)
		}
		s.start()
		if status, body, err := d.get("/ok"); err != nil || status != http.StatusOK {
			t.Errorf("the adopted agent: %d %s %v", status, body, err)
		}
		if now := mains(s.data); fmt.Sprint(now) != fmt.Sprint(before) {
			t.Errorf("after a start: agents %v, were %v", now, before)
		}
	}
	d.scenario("remember-read", thread)
	if code := s.stop(); code != 0 {
		t.Errorf("after SIGTERM it ended with %d", code)
	}
}

func TestRequestsEndBeforeTheServerDoes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	agent := client.NewAgent(d.url, d.key)
	thread, err := agent.CreateThread(t.Context())
	must(t, err)
	began, ended := make(chan struct{}), make(chan error)
	go func() {
		var last string
		for event, err := range agent.Stream(t.Context(), thread, client.RunRequest{
			Assistant: "slow", Input: map[string]any{"delay_ms": 1500, "messages": []map[string]string{{"role": "user", "content": "wait for it"}}},
		}) {
			if err != nil {
				ended <- err
				return
			}
			if event.Name == "metadata" {
				close(began)
			}
			last = string(event.Data)
		}
		if !strings.Contains(last, "wait for it") {
			ended <- fmt.Errorf("the last event is %s", last)
			return
		}
		ended <- nil
	}()
	<-began
	code := make(chan int)
	go func() { code <- s.stop() }()
	if err := <-ended; err != nil {
		t.Errorf("a run that had begun: %v", err)
	}
	if got := <-code; got != 0 {
		t.Errorf("the server ended with %d", got)
	}
}

func TestCrashedAgentIsStartedAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	d.deploy(pack(t, echo, nil))
	crash := func() {
		pids := mains(s.data)
		if len(pids) != 1 {
			t.Fatalf("agents: %v", pids)
		}
		must(t, syscall.Kill(pids[0], syscall.SIGKILL))
	}
	crash()
	eventually(t, "it serves again", func() bool {
		status, _, err := d.get("/ok")
		return err == nil && status == http.StatusOK && len(mains(s.data)) == 1
	})
	s.kill()
	crash() // nobody sees it
	s.start()
	eventually(t, "it serves again after an exit that nobody saw", func() bool {
		status, _, err := d.get("/ok")
		return err == nil && status == http.StatusOK
	})
}

func TestCrashLoopAfterTheGateIsUnhealthy(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d := s.create("echo")
	graph, err := os.ReadFile(echo + "/src/graph.ts")
	must(t, err)
	d.deploy(pack(t, echo, map[string]string{"src/graph.ts": fmt.Sprintf(`import { existsSync } from "node:fs";
if (existsSync(process.env.SLIPWAY_STATE_DIR + "/flag")) { console.error("crash test: the flag is up"); process.kill(process.pid, "SIGKILL"); }
%s`, graph)}))
	must(t, os.WriteFile(d.flag(), nil, 0o600))
	must(t, syscall.Kill(mains(s.data)[0], syscall.SIGKILL))
	eventually(t, "its health is unhealthy", func() bool {
		v, err := d.Deployment(t.Context(), d.id)
		must(t, err)
		return v.Health != nil && v.Health.State == "unhealthy" && strings.Contains(deref(v.Health.Reason), "crash test: the flag is up")
	})
	if status, body, err := d.get("/ok"); err != nil || status != http.StatusServiceUnavailable || !strings.Contains(body, "crashed") {
		t.Errorf("meanwhile: %d %s %v", status, body, err)
	}
	must(t, os.Remove(d.flag()))
	d.deploy(pack(t, echo, nil))
	if v, err := d.Deployment(t.Context(), d.id); err != nil || v.Health.State != "healthy" {
		t.Errorf("after a good revision: %+v, %v", v.Health, err)
	}
}

func TestDeleteLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	d, neighbour := s.create("echo"), s.create("echo-2")
	d.deploy(pack(t, echo, nil))
	neighbour.deploy(pack(t, echo, map[string]string{"README.md": "other"}))
	if n := len(mains(s.data)); n != 2 {
		t.Fatalf("%d agents", n)
	}
	d.purge()
	if n := len(mains(s.data)); n != 1 {
		t.Errorf("%d agents are left", n)
	}
	for _, pattern := range []string{"deployments/" + d.id + "*", "blobs/uploads/" + d.id + "*"} {
		if left, _ := filepath.Glob(filepath.Join(s.data, pattern)); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.data, "bundles", "*")); len(left) != 1 {
		t.Errorf("bundles: %v", left)
	}
	if status, _, err := d.get("/ok"); err != nil || status != http.StatusNotFound {
		t.Errorf("its address: %d, %v", status, err)
	}
	if status, _, err := neighbour.get("/ok"); err != nil || status != http.StatusOK {
		t.Errorf("the neighbour: %d, %v", status, err)
	}
	again := s.create("echo")
	again.deploy(pack(t, echo, nil))
	if again.id == d.id {
		t.Error("the id came back")
	}
}

func TestDeleteDuringABuildAndAStart(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, status := range []string{"BUILDING", "DEPLOYING"} {
		d := s.create("short-lived")
		r := d.push(pack(t, echo, map[string]string{"README.md": status, "package-lock.json": ""}))
		eventually(t, "it is "+status, func() bool {
			now, err := d.Revision(t.Context(), d.id, r.ID)
			must(t, err)
			if now.Status == "BUILD_FAILED" || now.Status == "DEPLOYED" {
				t.Fatalf("it is %s already", now.Status)
			}
			return now.Status == status
		})
		d.purge()
		if left, _ := filepath.Glob(filepath.Join(s.data, "deployments", d.id)); len(left)+len(agents(s.data)) > 0 {
			t.Errorf("left after %s: %v, %d processes", status, left, len(agents(s.data)))
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.data, "bundles", "*")); len(left) > 0 {
		t.Errorf("bundles: %v", left)
	}
}
