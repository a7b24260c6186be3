package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// cleanUp removes what the demo made, after Ctrl-C too: another one ends the
// waiting, not the cleaning. A folder that something may still run in is kept.
func (d *demo) cleanUp(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	gone := d.deleteDeployment(ctx)
	if err := errors.Join(gone, d.stopServer(ctx)); err != nil {
		return fmt.Errorf("clean up: %v\n%s is kept: look there for what is left", err, d.data)
	}
	if !d.temporary || d.data == "" {
		return nil
	}
	if err := os.RemoveAll(d.data); err != nil {
		return fmt.Errorf("remove data folder: %w", err)
	}
	d.screen.line("Removed %s.", d.data)
	return nil
}

// deleteDeployment deletes the deployment and waits until nothing is left of
// it. One that was there before the demo stays.
func (d *demo) deleteDeployment(ctx context.Context) error {
	if !d.made {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, goneTimeout)
	defer cancel()
	begin := time.Now()
	if err := d.client.DeleteDeployment(ctx, d.deployment.ID, client.DeleteOptions{TracingProject: true, Now: true}); err != nil {
		return fmt.Errorf("delete deployment %s: %w", demoName, err)
	}
	if _, err := d.client.WatchDeletion(ctx, d.deployment.ID, func(wire.Deletion) {}); err != nil {
		return fmt.Errorf("wait until nothing is left of deployment %s: %w", demoName, err)
	}
	d.screen.line("Deleted deployment %s; gone after %.1f s.", demoName, time.Since(begin).Seconds())
	return nil
}

func (d *demo) stopServer(ctx context.Context) error {
	if d.server == nil || d.server.over() {
		return nil
	}
	if err := d.server.stop(ctx); err != nil {
		return err
	}
	d.screen.line("Stopped the server.")
	return nil
}

// showServerLog prints the end of the server's log, which may be about to go.
func (d *demo) showServerLog() {
	if d.server == nil {
		return
	}
	lines := lastOf(d.server.log, lastLines)
	if len(lines) == 0 {
		return
	}
	d.screen.line("The end of the server's log:")
	for _, line := range lines {
		d.screen.aside(line)
	}
}

// lastOf returns the last lines of a file, none if it can not be read.
func lastOf(path string, n int) []string {
	raw, err := os.ReadFile(path)
	text := strings.TrimSpace(string(raw))
	if err != nil || text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-n):]
}

// quote makes a path safe for a shell.
func quote(path string) string {
	if !strings.ContainsAny(path, " \t\n'\"\\$&;|<>()*?[]#~`!{}") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
