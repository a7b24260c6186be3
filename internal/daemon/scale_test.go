package daemon // samples are given to the control plane by hand

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/service"
)

// scaling is a server with one deployment, whose instances tell their names.
type scaling struct {
	t      *testing.T
	config Config
	driver *fake.Driver
	client *client.Client
	id     string
	key    string

	*Server

	started atomic.Int64
	busy    atomic.Int64 // runs that instances say they have
	asked   sync.Map     // *atomic.Int64 of requests in progress by instance
}

// sharing is a kind of agent of which several run at once.
type sharing struct{}

func (sharing) Agent() slipway.AgentKind {
	return slipway.AgentKind{Name: "sharing", Probe: "/ok", Start: slipway.DefaultDrain, Drain: slipway.DefaultDrain}
}
func (sharing) Fingerprint() string                                { return "sharing" }
func (sharing) Accepts(appconfig.Config, slipway.AgentServer) bool { return true }

func (sharing) Prepare(context.Context, kind.App, io.Writer) (map[string]string, error) {
	return map[string]string{}, nil
}

func (sharing) Launch(context.Context, kind.Bundle) (slipway.Launch, error) {
	return slipway.Launch{Args: []string{"/none"}}, nil
}

// telling is the driver of instances that tell of their runs, and that nobody
// stops while they are asked.
type telling struct {
	*fake.Driver
	s *scaling
}

func (d telling) Runs(context.Context, slipway.DeploymentID, slipway.InstanceID) (slipway.Runs, error) {
	return slipway.Runs{Running: int(d.s.busy.Load())}, nil
}

func (d telling) Stop(ctx context.Context, id slipway.DeploymentID, i slipway.InstanceID, grace time.Duration) error {
	if n := d.s.inProgress(i).Load(); n > 0 {
		d.s.t.Errorf("an instance is stopped with %d requests in progress", n)
	}
	return d.Driver.Stop(ctx, id, i, grace)
}

func (s *scaling) inProgress(i slipway.InstanceID) *atomic.Int64 {
	n, _ := s.asked.LoadOrStore(i, new(atomic.Int64))
	return n.(*atomic.Int64)
}

func startScaling(t *testing.T, deploymentType string) *scaling {
	t.Helper()
	s := &scaling{t: t}
	s.driver = fake.Open(func(w slipway.Workload) fake.Behaviour {
		s.started.Add(1)
		return fake.Behaviour{Handler: http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
			s.inProgress(w.Instance).Add(1)
			defer s.inProgress(w.Instance).Add(-1)
			answerLate(answer, r, w.Instance)
		})}
	})
	s.config = Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", Ports: slipway.PortRange{First: 21000, Last: 21999}, Builds: 1, Logger: slog.New(slog.DiscardHandler),
		Kinds: []func(string, string) kind.Kind{func(string, string) kind.Kind { return sharing{} }},
		OpenDriver: func(string) (slipway.Driver, error) {
			s.driver = s.driver.Reopen()
			return telling{s.driver, s}, nil
		},
		Service: service.Config{ScalePace: slipway.Pace{Up: 1, Down: 1}},
	}
	s.start()
	t.Cleanup(func() { ok(t, s.Stop()) })
	s.deploy(deploymentType)
	return s
}

// answerLate says which instance answers: "/late" only after a while, so that it
// is under way when its instance is to stop.
func answerLate(w http.ResponseWriter, r *http.Request, i slipway.InstanceID) {
	if r.URL.Path == "/late" {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-r.Context().Done():
		}
	}
	fmt.Fprint(w, i)
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *scaling) start() {
	s.t.Helper()
	var err error
	s.Server, err = Start(s.t.Context(), s.config)
	ok(s.t, err)
	key, err := os.ReadFile(AdminKeyFile(s.config.Data))
	ok(s.t, err)
	s.key = strings.TrimSpace(string(key))
	s.client = client.New(s.URL(), s.key)
}

func (s *scaling) deploy(deploymentType string) {
	s.t.Helper()
	ctx := s.t.Context()
	d, err := s.client.CreateDeployment(ctx, wire.DeploymentCreateRequest{
		Name: "app", Source: "internal_source", SourceConfig: wire.SourceConfigRequest{DeploymentType: &deploymentType},
	})
	ok(s.t, err)
	s.id = d.ID
	app := s.t.TempDir()
	ok(s.t, os.WriteFile(filepath.Join(app, "langgraph.json"), []byte(`{"graphs":{"a":"./a.ts:a"}}`), 0o600))
	ok(s.t, os.WriteFile(filepath.Join(app, "a.ts"), nil, 0o600))
	archive, err := client.Pack(app)
	ok(s.t, err)
	defer archive.Close()
	u, err := s.client.UploadURL(ctx, s.id)
	ok(s.t, err)
	ok(s.t, s.client.Upload(ctx, u.UploadURL, archive, archive.Size))
	v, err := s.client.PatchDeployment(ctx, s.id, wire.DeploymentPatchRequest{
		SourceRevisionConfig: &wire.SourceRevisionConfigRequest{SourceTarballPath: &u.ObjectPath},
	})
	ok(s.t, err)
	r, err := s.client.WatchRevision(ctx, s.id, *v.LatestRevisionID, func(string, time.Time) {})
	ok(s.t, err)
	if r.Status != "DEPLOYED" {
		s.t.Fatalf("the revision is %s", r.Status)
	}
}

// measure tells of a load, and of the same after a while.
func (s *scaling) measure(m slipway.Sample, after time.Duration) {
	s.t.Helper()
	m.Deployment, m.RunsKnown = slipway.DeploymentID(s.id), true
	for _, m.At = range []time.Time{time.Now(), time.Now().Add(after)} {
		ok(s.t, s.service.Measured(s.t.Context(), "test", []slipway.Sample{m}))
	}
}

func (s *scaling) scale() wire.DeploymentScale {
	s.t.Helper()
	d, err := s.client.Deployment(s.t.Context(), s.id)
	ok(s.t, err)
	return *d.Scale
}

// until waits until what runs is as it should be.
func (s *scaling) until(what string, holds func(wire.DeploymentScale, []slipway.Observed) bool) {
	s.t.Helper()
	for {
		all, err := s.driver.List(s.t.Context())
		ok(s.t, err)
		if holds(s.scale(), all) {
			return
		}
		select {
		case <-s.t.Context().Done():
			s.t.Fatal("never ", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *scaling) ask(path string) (string, error) {
	r, err := http.NewRequest(http.MethodGet, s.URL()+"/d/app"+path, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("X-Api-Key", s.key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, body)
	}
	return string(body), err
}

// load asks all the time and returns how to end that, and to learn which
// instances answered how often.
func (s *scaling) load(clients int) (end func() map[string]int) {
	stop := make(chan struct{})
	var running sync.WaitGroup
	var mu sync.Mutex
	answers := map[string]int{}
	for range clients {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				body, err := s.ask("/late")
				if err != nil {
					s.t.Errorf("a request failed: %v", err)
					return
				}
				mu.Lock()
				answers[body]++
				mu.Unlock()
			}
		})
	}
	return func() map[string]int {
		close(stop)
		running.Wait()
		return answers
	}
}

// From one to three and back while clients ask all the time: every request is
// answered, and all three take part.
func TestScalingUnderLoadLosesNothing(t *testing.T) {
	s := startScaling(t, "prod")
	end := s.load(8)
	s.measure(slipway.Sample{Replicas: 1, Pending: 30}, time.Second)
	s.until("three serve", func(w wire.DeploymentScale, _ []slipway.Observed) bool { return w.Replicas == 3 })
	middle := s.load(8)
	s.until("all three were asked", func(wire.DeploymentScale, []slipway.Observed) bool {
		seen := map[string]bool{}
		for range 6 {
			i, err := s.ask("/")
			ok(t, err)
			seen[i] = true
		}
		return len(seen) == 3
	})
	s.measure(slipway.Sample{Replicas: 3}, time.Second)
	s.until("one is left", func(w wire.DeploymentScale, all []slipway.Observed) bool { return w.Replicas == 1 && len(all) == 1 })
	if answers := middle(); len(answers) != 3 {
		t.Errorf("answers of three: %v", answers)
	}
	end()
}

func asleep(w wire.DeploymentScale, all []slipway.Observed) bool {
	return w.Asleep && w.Wanted == 0 && w.Replicas == 0 && len(all) == 0
}

// What sleeps is woken by one request of many, which all are answered; and so
// after a restart of the server, which leaves it asleep.
func TestRequestsWakeWhatSleeps(t *testing.T) {
	s := startScaling(t, "dev_zero")
	s.measure(slipway.Sample{Replicas: 1}, time.Hour)
	s.until("it sleeps", asleep)
	ok(t, s.Stop())
	started := s.started.Load()
	s.start()
	if !asleep(s.scale(), nil) || s.started.Load() != started {
		t.Errorf("after a restart: %+v, %d starts", s.scale(), s.started.Load()-started)
	}
	var asking sync.WaitGroup
	for range 10 {
		asking.Go(func() {
			if _, err := s.ask("/late"); err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	if w := s.scale(); w.Asleep || w.Woken != 1 || s.started.Load() != started+1 {
		t.Errorf("after ten requests: %+v, %d starts", w, s.started.Load()-started)
	}
}

// Whoever asks while a deployment falls asleep is answered, over and over.
func TestNoRequestIsLostToSleep(t *testing.T) {
	s := startScaling(t, "dev_zero")
	end := s.load(4)
	for n := range 10 {
		s.measure(slipway.Sample{Replicas: 1}, time.Hour)
		s.until("it is woken", func(w wire.DeploymentScale, _ []slipway.Observed) bool { return w.Woken > n })
		if _, err := s.ask("/"); err != nil { // it goes by the route of one that is awake
			t.Fatal(err)
		}
	}
	end()
}

// Work that was left to an instance by a request that has ended keeps it awake.
func TestWorkKeepsAwake(t *testing.T) {
	s := startScaling(t, "dev_zero")
	s.busy.Store(1)
	s.measure(slipway.Sample{Replicas: 1}, time.Hour)
	s.until("it is awake again", func(w wire.DeploymentScale, _ []slipway.Observed) bool { return !w.Asleep && w.Woken == 1 })
	if w := s.scale(); w.Replicas != 1 || s.started.Load() != 1 {
		t.Errorf("%+v after %d starts", w, s.started.Load())
	}
}
