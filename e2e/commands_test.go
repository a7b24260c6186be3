package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
)

// commandError is a command that failed, with the end of what it said.
type commandError struct {
	name string
	err  error
	out  []byte
}

func (e *commandError) Error() string {
	return fmt.Sprintf("%s: %v\n%s", e.name, e.err, lastLines(e.out, 30))
}

func stderr(err error) []byte {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.Stderr
	}
	return nil
}

// background is for what all tests share, and so outlives each.
func background() context.Context { return context.Background() }
