package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// showPlan prints what a deletion would do.
func (s *screen) showPlan(p wire.DeletionPlan) error {
	s.line("Deleting %s (%s) removes", p.Name, p.DeploymentID)
	rows := [][]string{}
	for _, i := range p.Remove {
		rows = append(rows, []string{"  " + i.Kind, which(p.DeploymentID, i.Ref), "since " + clock(i.Since)})
	}
	if len(rows) == 0 {
		rows = [][]string{{"  nothing: nothing was made for it"}}
	}
	if err := s.table(rows); err != nil {
		return err
	}
	if len(p.Keep) > 0 {
		s.line("and keeps")
		if err := s.table(keptRows(p.Keep)); err != nil {
			return err
		}
	}
	if p.FinalSnapshot {
		s.line("A final snapshot of its state is kept elsewhere before it goes for good; the receipt says where.")
	}
	s.line("%s", reprieve(p))
	return nil
}

// which tells things of a kind apart; "-" where a deployment has but one.
func which(deployment, ref string) string {
	if ref == deployment {
		return "-"
	}
	return strings.TrimPrefix(ref, "uploads/"+deployment+"/")
}

func keptRows(kept []wire.KeptItem) [][]string {
	var rows [][]string
	for _, k := range kept {
		rows = append(rows, []string{"  " + k.Kind, k.Ref, after("since ", moment(k.Since)), firstLine(plain(k.Reason))})
	}
	return rows
}

// reprieve says whether a deletion could be taken back.
func reprieve(p wire.DeletionPlan) string {
	switch {
	case p.Protected:
		return "It is protected; to lift that: slipway protect " + p.Name + " --off"
	case p.KeptFor == 0:
		return "It can not be restored afterwards."
	}
	until := time.Now().Add(time.Duration(p.KeptFor) * time.Second)
	return fmt.Sprintf("It can be restored until %s UTC.", clock(wire.NewTime(until)))
}

// deletionEnd is how the end of a deletion is shown.
type deletionEnd struct {
	json bool
	out  io.Writer
}

// watchDeletion shows what becomes of everything that was made for a deployment
// beyond what was before, and says how it ended. A server that keeps no account
// of it is watched until the deployment is gone.
func watchDeletion(ctx context.Context, c *client.Client, s *screen, before wire.Deletion, end deletionEnd) error {
	name, id := before.Name, before.DeploymentID
	d, err := followDeletion(ctx, c, s, before)
	switch {
	case client.IsNotFound(err):
		if err := c.WaitGone(ctx, id); err != nil {
			return fmt.Errorf("wait until %s (%s) is gone: %w", name, id, err)
		}
		s.line("%s is gone.", name)
		return nil
	case err != nil && ctx.Err() != nil:
		s.line("It goes on without you. See how it goes: slipway receipt %s", id)
		return err
	case err != nil:
		return fmt.Errorf("watch the deletion of %s (%s): %w", name, id, err)
	}
	s.line("%s", epitaph(d))
	if end.json {
		return printJSON(end.out, d)
	}
	return nil
}

func followDeletion(ctx context.Context, c *client.Client, s *screen, before wire.Deletion) (wire.Deletion, error) {
	p := &deletionProgress{screen: s, begun: time.Now(), last: before}
	beside, end := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer end()
	others.Go(func() { s.reassure(beside, p.stillGoing) })
	return c.WatchDeletion(ctx, before.DeploymentID, p.show)
}

// deletionProgress shows each thing once when it is gone, and why one is not.
type deletionProgress struct {
	screen *screen
	begun  time.Time

	mu   sync.Mutex
	last wire.Deletion
}

func (p *deletionProgress) show(d wire.Deletion) {
	p.mu.Lock()
	defer p.mu.Unlock()
	type thing struct{ kind, ref string }
	before := map[thing]wire.DeletionItem{}
	for _, i := range p.last.Items {
		before[thing{i.Kind, i.Ref}] = i
	}
	for _, i := range d.Items {
		if i.RemovedAt != nil && i.RemovedAt.Before(d.DeletedAt.Time) {
			continue // it went before all this
		}
		if what := becameOf(before[thing{i.Kind, i.Ref}], i); what != "" {
			p.screen.line("  %6.1fs %s %s", time.Since(p.begun).Seconds(), called(d, i), what)
		}
	}
	p.last = d
}

// becameOf says what has happened to a thing between two looks, "" for nothing.
func becameOf(was, is wire.DeletionItem) string {
	switch {
	case is.VerifiedAt != nil && was.VerifiedAt == nil:
		return "is gone"
	case is.RemovedAt == nil && is.Error != nil && is.Attempts != was.Attempts:
		return "is not gone yet: " + firstLine(plain(*is.Error))
	}
	return ""
}

// stillGoing says what is waited for.
func (p *deletionProgress) stillGoing(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var stuck []string
	for _, i := range p.last.Items {
		if i.RemovedAt == nil && i.Error != nil {
			stuck = append(stuck, called(p.last, i))
		}
	}
	p.screen.line("  %6.1fs … still %s%s", now.Sub(p.begun).Seconds(), first(p.last.State, "waiting"), after(": ", strings.Join(stuck, ", ")))
}

// called is what a thing is called in a sentence.
func called(d wire.Deletion, i wire.DeletionItem) string {
	if name := which(d.DeploymentID, i.Ref); name != "-" {
		return i.Kind + " " + name
	}
	return i.Kind
}

// epitaph says how a deletion ended.
func epitaph(d wire.Deletion) string {
	if d.State == string(slipway.DeletionKept) {
		return fmt.Sprintf("%s is gone. Until %s UTC it can be restored: slipway restore %s", d.Name, clock(d.PurgeAt), d.DeploymentID)
	}
	return fmt.Sprintf("%s is gone, and nothing is left of it. What became of everything that was made for it: slipway receipt %s", d.Name, d.DeploymentID)
}
