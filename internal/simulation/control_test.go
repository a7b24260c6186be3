package simulation

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/service"
)

// errLost is the answer of a connection that broke.
var errLost = errors.New("connection lost")

// control is the control plane as a data plane reaches it: it may be started
// anew, and answers may be lost on the way.
type control struct {
	w *world

	mu      sync.Mutex
	service *service.Service
	ctx     context.Context // of this life
	stop    context.CancelFunc
	running sync.WaitGroup
	before  func(slipway.Event) // is told of each event before it is reported
	losing  int                 // reports from now to the one whose answer is lost; 0 for none
}

func (c *control) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.service = service.New(c.w.store, c.w.blobs, c.w.images, c.w.ring, service.Config{
		URL: func(slug string) string { return "http://slipway.test/d/" + slug }, Logger: c.w.log,
		ScalePace: slipway.Pace{Up: 1, Down: 1}, Undo: undo, Unroute: c.w.unroute,
		Tracing: service.Tracing{Runs: c.w.traces},
	})
	c.ctx, c.stop = context.WithCancel(context.Background())
	ctx, s := c.ctx, c.service
	c.running.Go(func() { s.Coordinate(ctx) })
}

func (c *control) restart() {
	c.end()
	c.start()
}

func (c *control) end() {
	c.mu.Lock()
	c.stop()
	c.mu.Unlock()
	c.running.Wait()
}

func (c *control) current() (*service.Service, context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.service, c.ctx
}

// lose has the answer of the nth report from now be lost.
func (c *control) lose(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.losing = n
}

// onReport has fn told of each event before it is reported.
func (c *control) onReport(fn func(slipway.Event)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before = fn
}

func (c *control) announce(events []slipway.Event) {
	c.mu.Lock()
	fn := c.before
	c.mu.Unlock()
	for _, e := range events {
		if fn != nil {
			fn(e)
		}
	}
}

func (c *control) loses() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.losing = max(c.losing-1, -1)
	return c.losing == 0
}

// ask runs a call against the current life; it breaks when that ends.
func ask[T any](ctx context.Context, c *control, fn func(context.Context, *service.Service) (T, error)) (T, error) {
	s, life := c.current()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(life, cancel)()
	answer, err := fn(ctx, s)
	if err != nil && life.Err() != nil {
		err = errLost
	}
	return answer, err
}

func tell(ctx context.Context, c *control, fn func(context.Context, *service.Service) error) error {
	_, err := ask(ctx, c, func(ctx context.Context, s *service.Service) (struct{}, error) { return struct{}{}, fn(ctx, s) })
	return err
}

func (c *control) Attach(ctx context.Context, owner string) error {
	return tell(ctx, c, func(ctx context.Context, s *service.Service) error { return s.Attach(ctx, owner) })
}

func (c *control) Claim(ctx context.Context, owner string, limit int) ([]slipway.Claim, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) ([]slipway.Claim, error) {
		return s.Claim(ctx, owner, limit)
	})
}

func (c *control) ClaimDeletions(ctx context.Context, owner string, limit int) ([]slipway.Claim, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) ([]slipway.Claim, error) {
		return s.ClaimDeletions(ctx, owner, limit)
	})
}

func (c *control) Acquire(ctx context.Context, owner string, id slipway.DeploymentID) (slipway.Claim, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) (slipway.Claim, error) { return s.Acquire(ctx, owner, id) })
}

func (c *control) Keep(ctx context.Context, l slipway.Lease, seen int64) (int64, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) (int64, error) { return s.Keep(ctx, l, seen) })
}

func (c *control) Report(ctx context.Context, l slipway.Lease, events ...slipway.Event) (slipway.Assignment, error) {
	c.announce(events)
	a, err := ask(ctx, c, func(ctx context.Context, s *service.Service) (slipway.Assignment, error) {
		return s.Report(ctx, l, events...)
	})
	if err == nil && c.loses() {
		return slipway.Assignment{}, errLost
	}
	return a, err
}

func (c *control) Release(ctx context.Context, l slipway.Lease, seen int64, next time.Time) error {
	return tell(ctx, c, func(ctx context.Context, s *service.Service) error { return s.Release(ctx, l, seen, next) })
}

func (c *control) Assignments(ctx context.Context, after slipway.DeploymentID, limit int) ([]slipway.Assignment, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) ([]slipway.Assignment, error) {
		return s.Assignments(ctx, after, limit)
	})
}

func (c *control) Environment(ctx context.Context, l slipway.Lease, r slipway.RevisionID, reach string) ([]slipway.EnvVar, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) ([]slipway.EnvVar, error) {
		return s.Environment(ctx, l, r, reach)
	})
}

func (c *control) Login(ctx context.Context, l slipway.Lease) (slipway.Login, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) (slipway.Login, error) { return s.Login(ctx, l) })
}

func (c *control) RedisPassword(ctx context.Context, l slipway.Lease) (string, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) (string, error) { return s.RedisPassword(ctx, l) })
}

func (c *control) Confidential(ctx context.Context, l slipway.Lease, r slipway.RevisionID) ([]string, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) ([]string, error) {
		return s.Confidential(ctx, l, r)
	})
}

func (c *control) BuildSecrets(ctx context.Context, l slipway.Lease, r slipway.RevisionID) ([]slipway.EnvVar, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) ([]slipway.EnvVar, error) {
		return s.BuildSecrets(ctx, l, r)
	})
}

func (c *control) RegistryAuth(ctx context.Context, l slipway.Lease, r slipway.RevisionID) (slipway.RegistryAuth, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) (slipway.RegistryAuth, error) {
		return s.RegistryAuth(ctx, l, r)
	})
}

func (c *control) Source(ctx context.Context, l slipway.Lease, r slipway.RevisionID) (io.ReadCloser, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) (io.ReadCloser, error) { return s.Source(ctx, l, r) })
}

func (c *control) Disown(ctx context.Context, l slipway.Lease, kind slipway.ItemKind, ref string) (bool, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) (bool, error) { return s.Disown(ctx, l, kind, ref) })
}

func (c *control) Unknown(ctx context.Context, things []slipway.Thing) ([]slipway.Thing, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) ([]slipway.Thing, error) { return s.Unknown(ctx, things) })
}

func (c *control) Found(ctx context.Context, owner string, leftovers []slipway.Leftover) error {
	return tell(ctx, c, func(ctx context.Context, s *service.Service) error { return s.Found(ctx, owner, leftovers) })
}

func (c *control) Measured(ctx context.Context, owner string, samples []slipway.Sample) error {
	return tell(ctx, c, func(ctx context.Context, s *service.Service) error { return s.Measured(ctx, owner, samples) })
}

func (c *control) Rouse(ctx context.Context, d slipway.DeploymentID) error {
	return tell(ctx, c, func(ctx context.Context, s *service.Service) error { return s.Rouse(ctx, d) })
}

func (c *control) Log(ctx context.Context, lines []slipway.LogLine) error {
	return tell(ctx, c, func(ctx context.Context, s *service.Service) error { return s.Log(ctx, lines) })
}

func (c *control) LogEnd(ctx context.Context, d slipway.DeploymentID, origin string) (int64, error) {
	return ask(ctx, c, func(ctx context.Context, s *service.Service) (int64, error) { return s.LogEnd(ctx, d, origin) })
}
