package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

const lastLines = 20 // of a log, shown after a failure

// progress shows what becomes of a revision.
type progress struct {
	client  *client.Client
	screen  *screen
	verbose bool // show the build log as it comes

	mu     sync.Mutex
	status string
	begun  time.Time
}

// follow shows every status until the revision has ended. The error is why
// nothing can be seen any more, or why the revision does not serve.
func (p *progress) follow(ctx context.Context, deployment, revision string) error {
	beside, end := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer end()
	p.begun = time.Now()
	others.Go(func() { p.screen.reassure(beside, p.stillGoing) })
	log := make(chan struct{})
	others.Go(func() {
		defer close(log)
		if p.verbose {
			p.buildLog(beside, deployment, revision)
		}
	})
	r, err := p.client.WatchRevision(ctx, deployment, revision, p.show)
	if err != nil {
		return fmt.Errorf("watch revision: %w", err)
	}
	<-log // it ends with the build
	if r.Status == string(slipway.Deployed) {
		return nil
	}
	p.showLastLines(ctx, deployment, r)
	return revisionError(r)
}

// show prints a status with the time since the first.
func (p *progress) show(status string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status == "" {
		p.begun = at
	}
	p.status = status
	p.screen.line("  %6.1fs %s", at.Sub(p.begun).Seconds(), status)
}

// buildLog prints the log while it is written. What can not be read is left to
// be said by the revision's own failure.
func (p *progress) buildLog(ctx context.Context, deployment, revision string) {
	for line, err := range p.client.BuildLogs(ctx, deployment, revision, client.LogOptions{Follow: true}) {
		if err != nil {
			if ctx.Err() == nil {
				p.screen.aside("(build log: " + err.Error() + ")")
			}
			return
		}
		p.screen.aside(line.Message)
	}
}

func (p *progress) stillGoing(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.screen.line("  %6.1fs … still %s", now.Sub(p.begun).Seconds(), first(p.status, "waiting"))
}

// showLastLines prints the end of the log that tells of a failure.
func (p *progress) showLastLines(ctx context.Context, deployment string, r wire.Revision) {
	read, title := p.client.DeployLogs, "last lines of the agent:"
	switch r.Status {
	case string(slipway.BuildFailed):
		if p.verbose {
			return // it was all there
		}
		read, title = p.client.BuildLogs, "last lines of the build:"
	case string(slipway.DeployFailed):
	default:
		return
	}
	for line, err := range read(ctx, deployment, r.ID, client.LogOptions{Tail: lastLines}) {
		if err != nil {
			return
		}
		if title != "" {
			p.screen.line("  %s", title)
			title = ""
		}
		p.screen.aside(line.Message)
	}
}

// revisionError says why a revision that has ended does not serve.
func revisionError(r wire.Revision) error {
	reason := plain(value(r.StatusMessage))
	switch slipway.RevisionStatus(r.Status) {
	case slipway.Skipped:
		return errors.New("the revision was skipped: " + first(reason, "a newer one took its place"))
	case slipway.Interrupted:
		return errors.New("the revision was cancelled" + after(": ", reason))
	}
	text := r.Status + after(": ", strings.TrimSpace(reason))
	if r.Failure != nil {
		text += after("\nhint: ", plain(value(r.Failure.Hint)))
	}
	return errors.New(text)
}

// after puts a text behind another, unless it is empty.
func after(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}
