package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/build/internal/command"
)

// users that builds of tests run as.
var users = command.Users{First: 60800, Last: 60863}

// sandboxed is a script of an app that runs in a folder of its own, below a
// data folder that only its owner may enter.
func sandboxed(t testing.TB, limits command.Limits, script string) command.Command {
	t.Helper()
	return in(t, command.Settings{Limits: limits}, command.Scope{}, script)
}

func in(t testing.TB, settings command.Settings, scope command.Scope, script string) command.Command {
	t.Helper()
	if settings.Data == "" {
		settings.Data = t.TempDir()
	}
	os.Chmod(settings.Data, 0o700)
	settings.Users = users
	c, err := command.Confine(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(settings.Data, "tmp", "build", strings.ReplaceAll(t.Name(), "/", "-"))
	if err := os.MkdirAll(work, 0o755); err != nil {
		t.Fatal(err)
	}
	if scope.Mark == "" {
		scope.Mark = filepath.Dir(work)
	}
	box := c.Sandbox(scope)
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return command.Command{
		Args: []string{"/bin/sh", "-c", script}, Dir: work, Write: []string{work},
		Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, In: box, Line: func(string) {},
	}
}
