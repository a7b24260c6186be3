package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
)

func TestDoctor(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	taken := fmt.Sprintf("%d-%d", port, port)
	for name, c := range map[string]struct {
		args []string
		code int
		bad  []string
	}{
		"well": {nil, exitOK, nil},
		"unwell": {
			[]string{"--agent-ports", taken, "--docker-host", "unix:///nonexistent/docker.sock", "--data", "/proc/slipway"},
			exitFailed,
			[]string{"ports for agents", "Docker Engine", "data folder", "disk space"},
		},
		"a wrong flag":  {[]string{"--agent-uids", "0-5"}, exitUsage, nil},
		"a wrong range": {[]string{"--agent-ports", "5"}, exitUsage, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			args := append([]string{"doctor", "--json", "--data", t.TempDir()}, c.args...)
			if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != c.code {
				t.Fatalf("ends with %d: %s%s", code, out.String(), errs.String())
			}
			if c.code == exitUsage {
				return
			}
			var findings []finding
			if err := json.Unmarshal(out.Bytes(), &findings); err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				if bad := f.Verdict == verdictBad; bad != slices.Contains(c.bad, f.Name) || bad && f.Get == "" || f.Found == "" {
					t.Errorf("%+v", f)
				}
			}
			for _, name := range []string{"own users", "Landlock", "memory limit", "Node", "PostgreSQL", "clock", "service"} {
				if !slices.ContainsFunc(findings, func(f finding) bool { return f.Name == name }) {
					t.Errorf("%s is not looked at", name)
				}
			}
		})
	}
}
