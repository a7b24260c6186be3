package vitals_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/vitals"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ward is what is looked at: servers that answer as the test has them.
type ward struct {
	*vitals.Vitals

	mu     sync.Mutex
	answer map[slipway.InstanceID]func(context.Context) (int, error)
	runs   map[slipway.InstanceID]slipway.Runs
	looks  map[slipway.InstanceID][]time.Time
	heard  time.Time // of any of them, by somebody else
	woken  []slipway.DeploymentID
	end    func()
}

// admit begins to look, in the time of synctest.
func admit(t *testing.T, c vitals.Config) *ward {
	w := &ward{
		answer: map[slipway.InstanceID]func(context.Context) (int, error){}, runs: map[slipway.InstanceID]slipway.Runs{},
		looks: map[slipway.InstanceID][]time.Time{},
	}
	w.Vitals = vitals.New(w, w, c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, func(d slipway.DeploymentID) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.woken = append(w.woken, d)
		})
	}()
	w.end = func() { cancel(); <-done }
	return w
}

func (w *ward) Probe(ctx context.Context, r slipway.Route, path string) (int, error) {
	id := slipway.InstanceID(r.Addresses[0])
	w.mu.Lock()
	w.looks[id] = append(w.looks[id], time.Now())
	answer := w.answer[id]
	w.mu.Unlock()
	if path != "/ok" {
		return 0, fmt.Errorf("asked for %s", path)
	}
	if answer == nil {
		return http.StatusOK, nil
	}
	return answer(ctx)
}

func (w *ward) Heard(slipway.Route) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard
}

// hears has somebody else be answered at a time.
func (w *ward) hears(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = at
}

func (w *ward) Runs(_ context.Context, _ slipway.DeploymentID, i slipway.InstanceID) (slipway.Runs, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.runs[i], nil
}

func (w *ward) answers(i slipway.InstanceID, fn func(context.Context) (int, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer[i] = fn
}

func (w *ward) works(i slipway.InstanceID, r slipway.Runs) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs[i] = r
}

func (w *ward) wakes() []slipway.DeploymentID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.woken
}

func (w *ward) counted(i slipway.InstanceID) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.looks[i])
}

func patient(i slipway.InstanceID, attempt int) slipway.Served {
	return slipway.Served{Instance: i, Attempt: attempt, Probe: "/ok", Route: slipway.Route{Deployment: slipway.DeploymentID("d-" + i), Addresses: []string{string(i)}}}
}

func (w *ward) watch(i slipway.InstanceID, attempt int) {
	w.Watch(slipway.DeploymentID("d-"+i), []slipway.Served{patient(i, attempt)})
}

func silent(ctx context.Context) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestWhatDoesNotAnswerIsSick(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(context.Context) (int, error)
		says   string
	}{
		"it hangs":        {silent, "gave no answer within 10s to GET /ok, 4 times in a row"},
		"it refuses":      {func(context.Context) (int, error) { return 0, errors.New("refused") }, "gave no answer"},
		"it is broken":    {func(context.Context) (int, error) { return 500, nil }, "answered 500"},
		"it is not there": {func(context.Context) (int, error) { return 404, nil }, "answered 404"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := admit(t, vitals.Config{})
				defer w.end()
				w.watch("i", 1)
				time.Sleep(time.Hour)
				if f := w.Sick("d-i", "i", 1); f != nil || len(w.wakes()) > 0 {
					t.Fatalf("while it is well: %v, woken %v", f, w.wakes())
				}
				w.answers("i", c.answer)
				time.Sleep(2 * time.Minute)
				f := w.Sick("d-i", "i", 1)
				if f == nil || f.Code != vitals.Unresponsive || !strings.Contains(f.Message, c.says) || f.Phase != slipway.PhaseServe {
					t.Fatalf("sick of %+v", f)
				}
				if len(w.wakes()) != 1 || w.wakes()[0] != "d-i" {
					t.Errorf("woken: %v", w.wakes())
				}
				if n := w.counted("i"); n != w.countedAfter(time.Hour, "i") {
					t.Error("what is known to be sick is looked at still")
				}
				if f := w.Sick("d-i", "i", 2); f != nil {
					t.Errorf("its next attempt: %v", f)
				}
				w.answers("i", nil)
				w.watch("i", 2)
				time.Sleep(time.Hour)
				if f := w.Sick("d-i", "i", 2); f != nil || len(w.wakes()) != 1 {
					t.Errorf("after its restart: %v, woken %v", f, w.wakes())
				}
			})
		})
	}
}

func (w *ward) countedAfter(d time.Duration, i slipway.InstanceID) int {
	time.Sleep(d)
	return w.counted(i)
}

// An event loop that is blocked for ten seconds, again and again, answers in
// between. It is busy, and never sick.
func TestABusyServerIsNotSick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := admit(t, vitals.Config{})
		defer w.end()
		began := time.Now()
		const block, rest = 10 * time.Second, 100 * time.Millisecond
		w.answers("i", func(ctx context.Context) (int, error) {
			within := time.Since(began) % (block + rest)
			if within >= block {
				return http.StatusOK, nil
			}
			select {
			case <-time.After(block - within):
				return http.StatusOK, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		})
		w.watch("i", 1)
		time.Sleep(24 * time.Hour)
		if f := w.Sick("d-i", "i", 1); f != nil {
			t.Errorf("sick of %v", f)
		}
	})
}

// Who is late with its probe, and answers others meanwhile, is busy. That it did so
// before counts for nothing, and neither does it where the probe is answered, or
// refused, at once.
func TestWhoAnswersOthersIsNotSick(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(context.Context) (int, error)
		heard  time.Duration // after the probe began
		sick   bool
	}{
		"others meanwhile": {silent, time.Second, false},
		"others before":    {silent, -time.Second, true},
		"it refuses":       {func(context.Context) (int, error) { return 0, errors.New("refused") }, time.Second, true},
		"it is broken":     {func(context.Context) (int, error) { return 500, nil }, time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := admit(t, vitals.Config{})
				defer w.end()
				w.answers("i", func(ctx context.Context) (int, error) {
					w.hears(time.Now().Add(c.heard))
					return c.answer(ctx)
				})
				w.watch("i", 1)
				time.Sleep(time.Hour)
				if f := w.Sick("d-i", "i", 1); (f != nil) != c.sick {
					t.Errorf("sick of %v", f)
				}
			})
		})
	}
}

// However long it is silent below the limit, at whatever moment it begins.
func TestASilenceBelowTheLimitIsNoSickness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := admit(t, vitals.Config{})
		defer w.end()
		w.watch("i", 1)
		for range 500 {
			ends := time.Now().Add(50 * time.Second)
			w.answers("i", func(ctx context.Context) (int, error) {
				ctx, cancel := context.WithTimeout(ctx, time.Until(ends))
				defer cancel()
				<-ctx.Done()
				if time.Now().Before(ends) {
					return 0, ctx.Err()
				}
				return http.StatusOK, nil
			})
			time.Sleep(50 * time.Second)
			w.answers("i", nil)
			time.Sleep(31 * time.Second)
		}
		if f := w.Sick("d-i", "i", 1); f != nil {
			t.Errorf("sick of %v", f)
		}
	})
}

func TestWorkersThatStandStill(t *testing.T) {
	long := 6 * time.Minute
	for name, c := range map[string]struct {
		runs slipway.Runs
		sick bool
	}{
		"nothing to do":                    {slipway.Runs{Workers: 10}, false},
		"a run waits, and none runs":       {slipway.Runs{Pending: 1, Oldest: long, Workers: 10}, true},
		"all workers are busy":             {slipway.Runs{Pending: 5, Running: 10, Oldest: long, Workers: 10}, false},
		"it waits for another of a thread": {slipway.Runs{Pending: 1, Running: 1, Oldest: long, Workers: 10}, false},
		"it has not waited for long":       {slipway.Runs{Pending: 1, Oldest: time.Minute, Workers: 10}, false},
		"it is to begin later":             {slipway.Runs{Pending: 1}, false},
		"how many workers is not known":    {slipway.Runs{Pending: 1, Oldest: long}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := admit(t, vitals.Config{})
				defer w.end()
				w.watch("i", 1)
				w.works("i", c.runs)
				time.Sleep(30 * time.Second)
				if f := w.Sick("d-i", "i", 1); f != nil {
					t.Fatalf("at first sight: %v", f)
				}
				time.Sleep(time.Hour)
				f := w.Sick("d-i", "i", 1)
				if (f != nil) != c.sick {
					t.Fatalf("sick of %v", f)
				}
				if f != nil && (f.Code != vitals.RunsStuck || !strings.Contains(f.Message, "1 pending, the oldest for 6m0s")) {
					t.Errorf("sick of %+v", f)
				}
			})
		})
	}
}

// One look that finds a run in between tells that workers work.
func TestARunInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := admit(t, vitals.Config{})
		defer w.end()
		w.watch("i", 1)
		for n := range 60 {
			w.works("i", slipway.Runs{Pending: 3, Oldest: time.Hour, Running: n % 2, Workers: 1})
			time.Sleep(2 * time.Minute)
		}
		if f := w.Sick("d-i", "i", 1); f != nil {
			t.Errorf("sick of %v", f)
		}
	})
}

// Two hundred that are adopted together are not asked together, and each as often
// as is set.
func TestLooksAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := admit(t, vitals.Config{})
		defer w.end()
		const n = 200
		for i := range n {
			w.watch(slipway.InstanceID(fmt.Sprint("i", i)), 1)
		}
		time.Sleep(10 * time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		seconds, total := map[int64]int{}, 0
		for _, looks := range w.looks {
			for _, at := range looks {
				seconds[at.Unix()]++
				total++
			}
		}
		most := 0
		for _, count := range seconds {
			most = max(most, count)
		}
		if most > 60 { // 13 on average
			t.Errorf("%d looks in one second", most)
		}
		if total < n*35 || total > n*45 {
			t.Errorf("%d looks in ten minutes", total)
		}
	})
}

// If most are silent at once it is not they who are sick, for a while.
func TestACrowdThatIsSilentIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := admit(t, vitals.Config{})
		defer w.end()
		ids := []slipway.InstanceID{"a", "b", "c", "d", "e"}
		for range 3 {
			for _, i := range ids {
				w.watch(i, 1)
				w.answers(i, silent)
			}
			time.Sleep(5 * time.Minute)
			if len(w.wakes()) > 0 {
				t.Fatalf("woken: %v", w.wakes())
			}
			for _, i := range ids[1:] {
				w.answers(i, nil)
			}
			time.Sleep(20 * time.Second)
			w.answers("a", nil)
			time.Sleep(time.Minute)
		}
		for _, i := range ids {
			w.answers(i, silent)
		}
		time.Sleep(time.Minute)
		for _, i := range ids[1:] {
			w.answers(i, nil)
		}
		time.Sleep(5 * time.Minute)
		if w.Sick("d-a", "a", 1) == nil || len(w.wakes()) != 1 {
			t.Errorf("the one that is silent still: %v, woken %v", w.Sick("d-a", "a", 1), w.wakes())
		}
	})
}

// Whoever is silent for long is sick, however many there are: else nobody would
// ever be started again where most hang in truth.
func TestACrowdThatStaysSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := admit(t, vitals.Config{})
		defer w.end()
		ids := []slipway.InstanceID{"a", "b", "c", "d", "e"}
		for _, i := range ids {
			w.watch(i, 1)
			w.answers(i, silent)
		}
		time.Sleep(8 * time.Minute)
		for _, i := range ids {
			if w.Sick(slipway.DeploymentID("d-"+i), i, 1) == nil {
				t.Errorf("%s is not sick", i)
			}
		}
	})
}

// One deployment is no crowd, whatever its number of replicas: they run the same
// code.
func TestReplicasThatHangTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := admit(t, vitals.Config{})
		defer w.end()
		for _, i := range []slipway.InstanceID{"a", "b", "c"} {
			w.watch(i, 1)
		}
		var replicas []slipway.Served
		for n := range 10 {
			s := patient(slipway.InstanceID(fmt.Sprint("r", n)), 1)
			s.Route.Deployment = "d"
			replicas = append(replicas, s)
			if n < 8 {
				w.answers(s.Instance, silent)
			}
		}
		w.Watch("d", replicas)
		time.Sleep(2 * time.Minute)
		for n, s := range replicas {
			if sick := w.Sick("d", s.Instance, 1) != nil; sick != (n < 8) {
				t.Errorf("replica %d is sick: %v", n, sick)
			}
		}
	})
}

// What is not watched any more is not looked at, and what is told before there is
// a life is looked at in it.
func TestWhatIsLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := admit(t, vitals.Config{})
		w.watch("i", 1)
		w.watch("j", 1)
		time.Sleep(time.Minute)
		w.Watch("d-i", nil)
		n := w.counted("i")
		time.Sleep(time.Hour)
		if w.counted("i") != n || w.counted("j") < 200 {
			t.Errorf("looked %d times after the end, and %d at the other", w.counted("i")-n, w.counted("j"))
		}
		w.end()
		n = w.counted("j")
		w.watch("k", 1)
		time.Sleep(time.Hour)
		if w.counted("j") != n || w.counted("k") > 0 {
			t.Error("looked at after the end of all")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := &ward{answer: map[slipway.InstanceID]func(context.Context) (int, error){}, looks: map[slipway.InstanceID][]time.Time{}}
		w.Vitals = vitals.New(w, w, vitals.Config{})
		w.watch("i", 1)
		w.watch("i", 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w.Run(ctx, func(slipway.DeploymentID) {})
		if n := w.counted("i"); n < 3 || n > 5 {
			t.Errorf("looked %d times in a minute", n)
		}
	})
}
