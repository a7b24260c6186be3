package simulation

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	// thorough takes minutes instead of seconds: every death, many fates.
	thorough = os.Getenv("SLIPWAY_SIMULATE") == "thorough"
	seed     = flag.Uint64("simulation.seed", 0, "the one fate to simulate; 0 for new ones")
)

// move is one thing that happens: an owner's doing, or a blow of fate.
type move struct {
	do    string
	app   int // which of the names
	n     int
	after bool
	text  string
	wait  time.Duration // afterwards
}

func (m move) String() string {
	return fmt.Sprintf("{%s app %d n %d after %t %q, wait %v}", m.do, m.app, m.n, m.after, m.text, m.wait)
}

var (
	names  = []string{"one", "two", "three"}
	doings = []string{
		"push", "push", "push", "push", "push", "push", "delete", "redeploy", "interrupt",
		"crash", "crash", "turn", "mend", "doom", "kill", "restart", "control", "lose", "full", "fail", "pause", "zombie",
		"scale", "scale", "lull", "ask", "ask", "aside", "aside", "back", "back", "force", "rotate", "crash redis",
	}
	agentsThat = []string{
		serves, serves, serves, serves, serves, servesLate, exitsOnce, refuses, crashes, mute, answers500, deafToStop, lingers, cannotRun, strangers,
		passesOnly, passesOnly, hangs, ruins, busy,
	}
	buildsThat = []string{builds, builds, builds, builds, builds, buildsSlow, buildsLate, buildsFails, buildsTries}
	whatFails  = []string{"stop", "stop in time", "delete", "purge", "remove bundle", "drain requests", "release", "snapshot", "restore", "discard", "postgres", "redis"}
	waits      = []time.Duration{
		0, 0, 0, time.Millisecond, 100 * time.Millisecond, time.Second, 3 * time.Second, 4 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute,
	}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func draw(r *rand.Rand) move {
	m := move{do: pick(r, doings), app: r.IntN(len(names)), n: r.IntN(20), after: r.IntN(2) == 0, wait: pick(r, waits)}
	switch m.do {
	case "push":
		m.text = fmt.Sprintf("kind=%s build=%s agent=%s", pick(r, []string{"plain", "state", "stands", "based"}), pick(r, buildsThat), pick(r, agentsThat))
		if r.IntN(4) == 0 {
			m.text = good + " nonce=shared" // one bundle for many
		} else if r.IntN(4) == 0 {
			m.text += " as=image"
		}
	case "turn":
		m.text = pick(r, agentsThat)
	case "fail":
		m.text = pick(r, whatFails)
	}
	return m
}

// Whatever happens, and in whatever order: once it is over and what was broken
// is mended, all is as it should be.
func TestWhateverHappens(t *testing.T) {
	seeds := []uint64{*seed}
	if *seed == 0 {
		seeds = make([]uint64, 6)
		if thorough {
			seeds = make([]uint64, 300)
		}
		for i := range seeds {
			seeds[i] = rand.Uint64()
		}
	}
	for _, s := range seeds {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(s, 0))
			moves := make([]move, 5+r.IntN(25))
			for i := range moves {
				moves[i] = draw(r)
			}
			var edits []func(*world)
			if s%2 == 0 {
				edits = append(edits, paired)
			}
			synctest.Test(t, func(t *testing.T) { play(t, moves, edits...) })
			if t.Failed() {
				t.Logf("again: go test -run %s -simulation.seed %d\n%s", t.Name(), s, text(moves))
			}
		})
	}
}

func text(moves []move) string {
	var b strings.Builder
	for _, m := range moves {
		fmt.Fprintln(&b, m)
	}
	return b.String()
}

func play(t *testing.T, moves []move, edits ...func(*world)) {
	w := newWorld(t, edits...)
	apps := map[int]*app{}
	for _, m := range moves {
		if w.faulty() {
			return
		}
		w.said.Write(fmt.Appendf(nil, "MOVE %v %v\n", time.Now().UTC(), m))
		w.play(m, apps)
		time.Sleep(m.wait)
	}
	w.mend()
	w.store.full.Store(0)
	w.control.lose(0)
	w.plane.doomAt(0, false)
	w.revive()
	w.settle()
	if !w.broken() && !w.faulty() {
		w.checkIdle()
	}
	if !w.faulty() {
		w.clear()
		w.checkIdle()
	}
}

func (w *world) play(m move, apps map[int]*app) {
	a := apps[m.app]
	if a == nil {
		a = w.create(names[m.app])
		apps[m.app] = a
	}
	if a == nil {
		return
	}
	switch m.do {
	case "push":
		w.push(a, m.text)
	case "delete":
		if w.delete(a) {
			delete(apps, m.app)
		}
	case "aside":
		w.putAside(a)
	case "back":
		w.restore(a)
	case "force":
		w.force(a)
	case "rotate":
		w.rotate(a)
	case "redeploy", "interrupt", "turn", "mend":
		w.toRevision(m, a)
	case "crash":
		w.agents.crash(w.address(a))
	case "crash redis":
		w.crashRedis(a)
	case "scale":
		w.scale(a, 1+m.n%3)
	case "lull":
		w.lull(a)
	case "ask":
		w.ask(a)
	default:
		w.strike(m)
	}
}

// toRevision does something to one revision of an app.
func (w *world) toRevision(m move, a *app) {
	all := w.revisions(a)
	if len(all) == 0 {
		return
	}
	r := all[len(all)-1-min(m.n/4, len(all)-1)]
	switch m.do {
	case "redeploy":
		w.redeploy(a, r.ID)
	case "interrupt":
		w.interrupt(a, r.ID)
	case "turn":
		w.agents.turn(w.script(a.id, r.ID)["nonce"], m.text)
	case "mend":
		w.agents.turn(w.script(a.id, r.ID)["nonce"], serves)
	}
}

// strike is what fate does.
func (w *world) strike(m move) {
	switch m.do {
	case "doom":
		w.plane.doomAt(m.n+1, m.after)
	case "kill":
		w.plane.kill()
	case "restart":
		w.plane.kill()
		w.revive()
	case "control":
		w.control.restart()
	case "lose":
		w.control.lose(m.n/4 + 1)
	case "full":
		w.store.full.Store(int64(m.n))
	case "fail":
		w.fail(m.text, !w.failing(m.text))
	case "zombie":
		w.plane.sleeps(time.Minute)
	}
	if m.do != "kill" && m.do != "doom" && m.n%3 == 0 {
		w.revive()
	}
}

// broken says whether something that serves can not.
func (w *world) broken() bool {
	return slices.ContainsFunc(w.known(), func(a *app) bool {
		s, _ := w.control.current()
		v, err := s.Get(w.t.Context(), w.who, a.id)
		return err == nil && v.Active != "" && !works(w.agents.mode(w.script(a.id, v.Active)))
	})
}
