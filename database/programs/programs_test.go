package programs_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database/programs"
)

// folder makes programs that say what is given, by name.
func folder(t *testing.T, said map[string]string) string {
	t.Helper()
	bin := t.TempDir()
	for name, line := range said {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+line+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

func version(v string) string { return "echo 'x (PostgreSQL) " + v + " (Debian)'" }

func server(t *testing.T, v string) string {
	return folder(t, map[string]string{"postgres": version(v), "initdb": version(v)})
}

func TestFind(t *testing.T) {
	clients := folder(t, map[string]string{"pg_dump": version("17.1"), "pg_restore": version("17.1")})
	newer := folder(t, map[string]string{"pg_dump": version("18.1"), "pg_restore": version("18.1")})
	mixed := folder(t, map[string]string{"postgres": version("18.1"), "initdb": version("17.1")})
	broken := folder(t, map[string]string{"postgres": "exit 127", "initdb": version("19.1")})
	wrapper := folder(t, nil)
	if err := os.Symlink(filepath.Join(server(t, "20.1"), "initdb"), filepath.Join(wrapper, "postgres")); err != nil {
		t.Fatal(err)
	}
	brings := server(t, "18.6")
	for name, c := range map[string]struct {
		search  []string
		bring   bool
		wanted  programs.Wanted
		version string
		message string // of the failure
	}{
		"the newest":        {[]string{server(t, "15.2"), server(t, "16.9"), server(t, "14.1")}, true, programs.Servers(0), "16.9", ""},
		"the only one":      {[]string{server(t, "16.9"), server(t, "15.2")}, true, programs.Servers(15), "15.2", ""},
		"a beta":            {[]string{server(t, "19beta1")}, false, programs.Servers(0), "19beta1", ""},
		"what does not run": {[]string{broken, mixed, wrapper, clients, "/nonexistent"}, true, programs.Servers(0), "18.6", ""},
		"none":              {nil, false, programs.Servers(0), "", "(postgres, initdb) of version 13 or later are wanted, and none are installed"},
		"too old":           {[]string{server(t, "12.9")}, false, programs.Servers(0), "", "there is only PostgreSQL 12.9 at /"},
		"another version":   {[]string{server(t, "15.2")}, true, programs.Servers(16), "", "of version 16 are wanted, and there is only PostgreSQL 15.2"},
		"clients":           {[]string{server(t, "18.1"), newer, clients}, false, programs.Clients(16), "17.1", ""},
		"clients too old":   {[]string{clients}, false, programs.Clients(18), "", "(pg_dump, pg_restore) of version 18 or later"},
	} {
		t.Run(name, func(t *testing.T) {
			f := programs.Finder{Search: func() []string { return c.search }}
			if c.bring {
				f.Bringer = programs.Bringer{Label: "a wheel", Major: 18, Bring: func(context.Context) (string, string, error) { return "/home", brings, nil }}
			}
			p, err := f.Find(t.Context(), c.wanted)
			if failure, ok := errors.AsType[*slipway.Failure](err); c.message != "" && (!ok || !strings.Contains(failure.Message, c.message) || failure.Hint == "") {
				t.Errorf("failed with %v, want %q", err, c.message)
			}
			if c.message == "" && (err != nil || p.Version != c.version) {
				t.Errorf("found %v, %v; want %s", p, err, c.version)
			}
		})
	}
}

func TestPlan(t *testing.T) {
	f := programs.Finder{Search: func() []string { return nil }}
	f.Bringer = programs.Bringer{Label: "a wheel", Major: 18, Bring: func(context.Context) (string, string, error) { panic("brought") }}
	if installed, brought, err := f.Plan(t.Context(), programs.Servers(0)); installed != nil || brought != "a wheel" || err != nil {
		t.Errorf("%v, %q, %v", installed, brought, err)
	}
	f.Bring = func(context.Context) (string, string, error) {
		return "", "", &slipway.Failure{Message: "The index is away.", Hint: "Come back."}
	}
	_, err := f.Find(t.Context(), programs.Servers(0))
	if _, final := errors.AsType[*slipway.Failure](err); final || err == nil || !strings.Contains(err.Error(), "The index is away. Come back.") {
		t.Errorf("it can not be brought: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Find(ctx, programs.Servers(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// What is installed here for the tests is found.
func TestUsual(t *testing.T) {
	if testing.Short() {
		t.Skip("wants PostgreSQL installed")
	}
	for _, w := range []programs.Wanted{programs.Servers(0), programs.Clients(programs.Oldest)} {
		if p, err := (programs.Finder{}).Find(t.Context(), w); err != nil || p.Major < programs.Oldest {
			t.Errorf("%v, %v", p, err)
		}
	}
}
