// Package service holds the use cases of the control plane: what may be asked
// of a deployment, what follows from it, and the answers that a data plane gets.
//
// It owns every row. A use case is one transaction; what must happen outside
// (blobs that go, people who wait) happens after its commit, and is done again
// by the coordinator if the process dies in between.
//
// What makes or changes something for a client goes through once, so that the
// client can send it again (Idempotency-Key); everything else that writes goes
// through change. Both write an event for every status that a transaction
// changes, by looking at the rows that it reads and writes: a use case has
// nothing to do for that.
package service

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/turn"
)

// Blobs is where uploaded bytes lie.
type Blobs interface {
	// Write stores what it reads below a folder, under its SHA-256 in hex. It
	// stores nothing unless all of it was read.
	Write(ctx context.Context, folder string, r io.Reader) (size int64, digest string, err error)
	Open(ctx context.Context, folder, digest string) (io.ReadCloser, error)
	// Delete removes what Write stored; what is not there is removed already.
	Delete(ctx context.Context, folder, digest string) error
	// DeleteAll removes a folder, likewise, and has looked again when it returns.
	DeleteAll(ctx context.Context, folder string) error
	// List names what lies in a folder; one that is not there has nothing.
	List(ctx context.Context, folder string) ([]string, error)
}

// Sealer encrypts values for a row.
type Sealer interface {
	Seal(value, row string) []byte
	Open(sealed []byte, row string) (string, error)
}

// Config is what an installation decides.
type Config struct {
	// URL returns the public address of a deployment's slug, without a slash
	// at its end.
	URL func(slug string) string
	// BuildLimit is how long a revision that builds may be in progress;
	// ImageLimit the same for one that does not. They lie below the patience
	// of the contract's clients (900 s and 300 s).
	BuildLimit, ImageLimit time.Duration
	// LeaseFor is how long a lease lives without being renewed.
	LeaseFor time.Duration
	// UploadFor is how long the address of an upload is good.
	UploadFor time.Duration
	// PushFor is how long a token to push images is good.
	PushFor time.Duration
	// Retention says how long revisions can be deployed again. Unset, it is the
	// last five and those that were replaced within three days.
	Retention slipway.Retention
	// Tree returns the digest of the files in an uploaded tarball, so that the
	// same source is known again however it was packed. nil knows none.
	Tree func(io.Reader) (string, error)
	// Room returns what to tell who uploads a source while the disk is almost
	// full. nil has always room.
	Room func() error
	// Undo is how long what was deleted is kept aside, to be restored; 0 is not
	// at all.
	Undo time.Duration
	// ClearLimit is how long a step of a deletion may take that others wait for;
	// it is gone on with later.
	ClearLimit time.Duration
	// Snapshots says whether state and databases are put elsewhere before they go
	// for good. A data plane does it.
	Snapshots bool
	// KeepReceipts is how long the receipt of a deletion is kept, from the moment
	// that nothing was left; a year if it is unset, for ever if it is negative.
	KeepReceipts time.Duration
	// Tracing is where the traces of agents go.
	Tracing Tracing
	// Certificates are those of deployments' names; nil if there are none.
	Certificates Certificates
	// Unroute is called after each deletion is committed, and before it is
	// answered: the deployment's names must lead nowhere, whatever is known of it
	// that is older than a generation. It must not block.
	Unroute func(d slipway.DeploymentID, generation int64)
	// Turns bound how much is worked on deletions at once, together with whoever
	// has them too; nil for turns of its own.
	Turns *turn.Turns
	// Forget is called after each change of keys and workspaces is committed, and
	// before it is answered: whoever remembers who may do what must ask anew.
	Forget func()
	// Moved is called after each change of a revision's status is committed, with
	// how long it had been in the one before. It must not block.
	Moved func(r slipway.Revision, from slipway.RevisionStatus, took time.Duration)
	// ScalePace is how long more or fewer replicas must be needed before there
	// are more or fewer. The latter is the contract's (§8), 30 min.
	ScalePace slipway.Pace
	// SleepAfter is how long nobody must ask for a deployment that may sleep.
	SleepAfter time.Duration
	// FollowEvery is how often those who follow a deployment, and data planes that
	// wait for work, look at the rows without being woken. It must be set where
	// several servers share a store, since what another one writes wakes nobody here;
	// 0 is never, but that data planes look once a minute.
	FollowEvery time.Duration
	Logger      *slog.Logger
	Now         func() time.Time
}

func (c Config) withDefaults() Config {
	orDefault(&c.BuildLimit, 840*time.Second)
	orDefault(&c.ImageLimit, 280*time.Second)
	orDefault(&c.LeaseFor, 30*time.Second)
	orDefault(&c.ClearLimit, time.Minute)
	orDefault(&c.UploadFor, 15*time.Minute)
	orDefault(&c.PushFor, time.Hour)
	orDefault(&c.ScalePace.Up, 30*time.Second)
	orDefault(&c.ScalePace.Down, 30*time.Minute)
	orDefault(&c.SleepAfter, 15*time.Minute)
	orDefault(&c.KeepReceipts, 365*24*time.Hour)
	orDefault(&c.Retention.For, 72*time.Hour)
	orDefault(&c.Retention.Sources, 24*time.Hour)
	if c.Retention.Last == 0 {
		c.Retention.Last = 5
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Room == nil {
		c.Room = func() error { return nil }
	}
	if c.Forget == nil {
		c.Forget = func() {}
	}
	if c.Unroute == nil {
		c.Unroute = func(slipway.DeploymentID, int64) {}
	}
	if c.Turns == nil {
		c.Turns = turn.New()
	}
	if c.Moved == nil {
		c.Moved = func(slipway.Revision, slipway.RevisionStatus, time.Duration) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func orDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Service is the control plane without its transports.
type Service struct {
	store  slipway.Store
	blobs  Blobs
	images Images
	sealer Sealer
	config Config
	board  *board
	// followers is a board of its own: a data plane is not woken by events.
	followers *board
	scaler    scaler
	// receiving is held to read while an upload is stored and written down: two
	// with the same bytes are one file, which must not be removed in between.
	receiving sync.RWMutex
	unkept    unkept
	leftovers leftovers
}

// New returns a service. Start its Coordinator too, else deadlines pass unseen
// and deletions do not end.
func New(store slipway.Store, blobs Blobs, images Images, sealer Sealer, config Config) *Service {
	return &Service{
		store: store, blobs: blobs, images: images, sealer: sealer, config: config.withDefaults(), board: newBoard(), followers: newBoard(),
		scaler: scaler{seen: map[slipway.DeploymentID]observed{}},
	}
}

func (s *Service) now() time.Time { return s.config.Now().UTC().Truncate(time.Microsecond) }

// change runs fn in a transaction and, once it is committed, tells those who
// wait for the deployments that fn touched. A use case that makes something for
// a client goes through once instead.
func (s *Service) change(ctx context.Context, fn func(*change) error) error {
	var done *change
	err := s.store.Update(ctx, func(tx slipway.Tx) error {
		done = &change{Tx: tx, ctx: ctx, service: s, now: s.now(), writes: true} // fn may be run again: start anew
		if err := fn(done); err != nil {
			return err
		}
		return done.writeEvents()
	})
	if done != nil && done.access {
		s.config.Forget() // after an error too: the commit may have been done
	}
	if err != nil {
		return err
	}
	for _, d := range done.unrouted {
		s.config.Unroute(d.ID, d.Generation)
	}
	for _, r := range done.ended {
		s.config.Logger.Info("revision ended", slog.String("deployment", string(r.Deployment)), slog.String("revision", string(r.ID)),
			slog.String("status", string(r.Status)), slog.String("reason", r.Message))
	}
	for _, m := range done.moved {
		s.config.Moved(m.revision, m.from, m.took)
	}
	for _, d := range done.kept {
		s.config.Logger.Info("deployment kept aside", slog.String("deployment", string(d.ID)), slog.String("name", d.Name), slog.Time("until", d.Deletion.PurgeAt))
	}
	for _, f := range done.stuck {
		s.config.Logger.Warn("deletion is stuck, it is tried again", slog.String("deployment", string(f.Deployment)), slog.String("item", string(f.Kind)),
			slog.String("ref", f.Ref), slog.Any("error", f.err))
	}
	for _, d := range done.vanished {
		s.config.Logger.Info("deployment deleted", slog.String("deployment", string(d.ID)), slog.String("name", d.Name))
	}
	for _, id := range done.changed {
		s.board.Post(id)
	}
	for _, id := range done.told {
		s.followers.Post(id)
	}
	if done.deletes {
		s.board.deletions.ring()
	}
	if done.dying {
		s.board.dying.ring()
	}
	return nil
}

// change is one transaction of a use case.
type change struct {
	slipway.Tx
	ctx      context.Context // what the request demands; not for waiting
	service  *Service
	now      time.Time
	changed  []slipway.DeploymentID
	deletes  bool // a deployment that is being deleted may be due
	dying    bool // a deployment is ready to be removed, or will be at a time
	ended    []slipway.Revision
	moved    []moved
	unrouted []slipway.Deployment // which nobody may reach any more
	kept     []slipway.Deployment // aside
	stuck    []clearing           // steps of deletions that failed
	vanished []slipway.Deployment // of which nothing is left
	writes   bool
	journals []*journal
	told     []slipway.DeploymentID // whose followers have news
	access   bool                   // who may do what has changed
}

// moved is a revision whose status has changed.
type moved struct {
	revision slipway.Revision
	from     slipway.RevisionStatus
	took     time.Duration // in the status before
}

// keep writes a deployment that changed in what no data plane looks at.
func (c *change) keep(d *slipway.Deployment) error {
	d.UpdatedAt = c.now
	return c.UpdateDeployment(d)
}

// want writes a deployment of which something else is wanted now, and makes it
// due for its data plane.
func (c *change) want(d *slipway.Deployment) error {
	if err := c.alter(d); err != nil {
		return err
	}
	c.deletes = c.deletes || d.Deleting()
	return c.Wake(d.ID, c.now)
}

// alter is want for what only concerns a data plane that is at work on the
// deployment.
func (c *change) alter(d *slipway.Deployment) error {
	d.Generation++
	c.changed = append(c.changed, d.ID)
	return c.keep(d)
}
