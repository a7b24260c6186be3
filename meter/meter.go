package meter

import (
	"context"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/rounds"
)

const (
	// askWithin bounds how long a driver or an agent may take to answer.
	askWithin = 5 * time.Second
	// handOverWithin bounds the last call of Stop.
	handOverWithin = 5 * time.Second
)

// Config is what a meter is made of.
type Config struct {
	Owner  string        // names the data plane
	Every  time.Duration // how often each deployment is measured, 15 s
	Logger *slog.Logger
	// Databases of deployments; nil for none.
	Databases Databases
}

// Driver is what a meter asks of slipway.Driver.
type Driver interface {
	Usage(context.Context, slipway.DeploymentID, slipway.InstanceID) (slipway.Usage, error)
	Runs(context.Context, slipway.DeploymentID, slipway.InstanceID) (slipway.Runs, error)
}

// Gateway is what it asks of slipway.Router.
type Gateway interface {
	Traffic(slipway.DeploymentID) slipway.Traffic
}

// Control is what it asks of slipway.Sync.
type Control interface {
	Measured(ctx context.Context, owner string, samples []slipway.Sample) error
}

// Meter measures deployments from Watch to Unwatch.
type Meter struct {
	control Control
	driver  Driver
	gateway Gateway
	config  Config
	life    context.Context // ends with Stop
	stop    context.CancelFunc
	running sync.WaitGroup
	rounds  *rounds.Rounds

	mu      sync.Mutex
	watched map[slipway.DeploymentID]*deployment
	samples []slipway.Sample // that have not been handed over

	failing bool // handing over, and that has been logged; handOver's alone
}

// New returns a meter that measures what it is told to watch, from then on.
func New(control Control, driver Driver, gateway Gateway, config Config) *Meter {
	if config.Every == 0 {
		config.Every = slipway.Resolutions[0].Step
	}
	m := &Meter{
		control: control, driver: driver, gateway: gateway, config: config,
		rounds: rounds.New(), watched: map[slipway.DeploymentID]*deployment{},
	}
	m.life, m.stop = context.WithCancel(context.Background())
	m.running.Go(m.handOver)
	m.running.Go(func() { m.rounds.Run(m.life) })
	return m
}

// Stop hands over what was measured and ends. It may be called again.
func (m *Meter) Stop() {
	m.stop()
	m.running.Wait()
}

// Watch begins to measure a deployment, or says what there is of it now: its
// instances as the driver sees them, its own Redis among them, and which of them
// serve.
func (m *Meter) Watch(d slipway.Deployment, instances []slipway.Observed, serving []slipway.InstanceID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life.Err() != nil {
		return
	}
	w := m.watched[d.ID]
	if w == nil {
		w = newDeployment(d.ID, m.gateway.Traffic(d.ID))
		m.watched[d.ID] = w
		w.looks = m.measure(w)
	}
	w.see(d, instances, serving)
}

// Unwatch forgets a deployment. It need not be watched.
func (m *Meter) Unwatch(id slipway.DeploymentID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.watched[id]; w != nil {
		w.looks.End()
		delete(m.watched, id)
	}
}

// measure has a sample taken of a deployment in every interval.
func (m *Meter) measure(w *deployment) *rounds.Visit {
	phase := phaseOf(w.id, m.config.Every)
	return m.rounds.Add(next(time.Now(), m.config.Every, phase), func(ctx context.Context) time.Time {
		if sample, ok := m.sample(ctx, w); ok {
			m.mu.Lock()
			m.samples = append(m.samples, sample)
			m.mu.Unlock()
		}
		m.database(ctx, w)
		return next(time.Now(), m.config.Every, phase)
	}, nil)
}

// moments of an interval there are: as many as put those of 15 s on the beats.
const moments = 48

// phaseOf is the moment of an interval in which a deployment is measured: never
// near its ends, where a little delay would put it into the next.
func phaseOf(id slipway.DeploymentID, every time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return every/10 + time.Duration(h.Sum32()%moments)*(every*8/10)/moments
}

// next is the next time that an interval has reached a phase.
func next(now time.Time, every, phase time.Duration) time.Time {
	at := now.Truncate(every).Add(phase)
	if !at.After(now) {
		at = at.Add(every)
	}
	return now.Add(at.Sub(now)) // by the clock that does not jump
}

// handOver gives the control plane what was measured, once an interval and at
// the end.
func (m *Meter) handOver() {
	for pause(m.life, time.Until(next(time.Now(), m.config.Every, 0))) {
		m.handOverNow(m.life)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.life), handOverWithin)
	defer cancel()
	m.handOverNow(ctx)
}

func (m *Meter) handOverNow(ctx context.Context) {
	m.mu.Lock()
	samples := m.samples
	m.samples = nil
	m.mu.Unlock()
	if len(samples) == 0 {
		return
	}
	err := m.control.Measured(ctx, m.config.Owner, samples)
	switch failed := err != nil; {
	case failed && !m.failing:
		m.config.Logger.Warn("measurements are not kept", slog.Any("error", err))
	case !failed && m.failing:
		m.config.Logger.Info("measurements are kept again")
	}
	m.failing = err != nil
}

// pause waits, and says whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
