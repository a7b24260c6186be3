package e2e_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/client"
)

func TestFirstStartMakesAPrivateKey(t *testing.T) {
	t.Parallel()
	s := serverOn(t, filepath.Join(t.TempDir(), "data"))
	info, err := os.Stat(filepath.Join(s.data, "admin.key"))
	must(t, err)
	if info.Mode().Perm() != 0o600 || strings.TrimSpace(s.key) != s.key || !strings.HasPrefix(s.key, "slipway_") {
		t.Errorf("admin.key has mode %v and holds %d bytes", info.Mode(), len(s.key))
	}
	if found, err := s.Deployments(t.Context(), client.Filter{}); err != nil || len(found) != 0 {
		t.Errorf("with the key: %v, %v", found, err)
	}
	if _, err := client.New(s.url, "wrong").Deployments(t.Context(), client.Filter{}); err == nil || err.Error() != "Invalid API key." {
		t.Errorf("with a wrong key: %v", err)
	}
	log, err := os.ReadFile(s.log)
	must(t, err)
	if !strings.Contains(string(log), "admin.key") || strings.Contains(string(log), s.key) {
		t.Error("the log does not name the key's file, or holds the key")
	}
	for _, path := range []string{"/v2/deployments", "/api-host/v2/deployments"} {
		answer, err := http.Get(s.url + path)
		must(t, err)
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("GET %s without a key: %d", path, answer.StatusCode)
		}
	}
	if _, err := client.New(s.url+"/api-host", s.key).Deployments(t.Context(), client.Filter{}); err != nil {
		t.Errorf("under /api-host: %v", err)
	}
}

func TestOneServerPerFolder(t *testing.T) {
	t.Parallel()
	s := serverOn(t, filepath.Join(t.TempDir(), "data"))
	second := exec.Command(binary, "server", "--data", s.data, "--listen", freeAddress(t))
	out, err := second.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use") {
		t.Errorf("a second server: %v\n%s", err, out)
	}
	if err := client.New(s.url, s.key).Ready(t.Context()); err != nil {
		t.Errorf("the first one afterwards: %v", err)
	}
}

func TestLostKeyIsMadeAnew(t *testing.T) {
	t.Parallel()
	s := serverOn(t, filepath.Join(t.TempDir(), "data"))
	path := filepath.Join(s.data, "admin.key")
	for _, state := range []string{"running", "stopped"} {
		must(t, os.Remove(path))
		if out, err := exec.Command(binary, "admin", "key", "--data", s.data).CombinedOutput(); err != nil {
			t.Fatalf("admin key while %s: %v\n%s", state, err, out)
		}
		if state == "running" {
			if code := s.stop(); code != 0 {
				t.Errorf("the server ended with %d", code)
			}
		}
	}
	fresh, err := os.ReadFile(path)
	must(t, err)
	old := s.key
	s.start()
	for _, key := range []string{old, string(fresh)} {
		if _, err := client.New(s.url, key).Deployments(t.Context(), client.Filter{}); err != nil {
			t.Errorf("with key %.12s…: %v", key, err)
		}
	}
}

func TestTakenPortIsSaid(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	out, err := exec.Command(binary, "server", "--data", t.TempDir(), "--listen", l.Addr().String()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--listen") {
		t.Errorf("on a taken port: %v\n%s", err, out)
	}
}

func TestWrongFlagsAreSaid(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(binary, "server", "--agent-ports", "x").CombinedOutput()
	if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 2 || !strings.Contains(string(out), "--agent-ports") {
		t.Errorf("wrong ports: %v\n%s", err, out)
	}
}
