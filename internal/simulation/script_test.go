package simulation

import (
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

// script is what one source does when it is built and run. It is the source:
// fields as words, key=value.
type script map[string]string

func parse(source string) script {
	s := script{}
	for _, word := range strings.Fields(source) {
		key, value, _ := strings.Cut(word, "=")
		s[key] = value
	}
	return s
}

// What a build does.
const (
	builds      = "ok"       // a line a second for three seconds
	buildsSlow  = "slow"     // longer than the limit of a revision
	buildsLate  = "stubborn" // takes half a minute, cancelled or not
	buildsFails = "fail"     // a final failure
	buildsTries = "tries"    // fails twice for a reason that passes
)

// What an agent does.
const (
	serves     = "good"
	servesLate = "late"   // listens after five seconds
	exitsOnce  = "flaky"  // exits at its first start
	refuses    = "refuse" // exits with the code that says: do not try again
	crashes    = "crash"  // exits at every start
	mute       = "mute"   // runs, never listens
	answers500 = "sick"   // listens, and answers 500
	deafToStop = "deaf"   // good, but ends only when it is killed
	lingers    = "linger" // good, and takes a while to end once its state is closed
	cannotRun  = "broken" // the driver can not start it: final
	strangers  = "port"   // a stranger holds each port it is given
	passesOnly = "brief"  // good, and exits three seconds after each start
	hangs      = "hang"   // good, and answers nothing any more ten seconds after each start
	ruins      = "ruin"   // opens its state, changes it, and exits
	busy       = "busy"   // good, and never without runs
	stuck      = "stuck"  // good, and its workers take up no run
	damaged    = "damage" // of a Redis: it can not read what it keeps
)

// kinds are the agent kinds of the fake builder.
func kinds() map[string]slipway.AgentKind {
	plain := slipway.AgentKind{Name: "plain", Probe: "/ok", StartFailure: 1, Start: 10 * time.Second, Drain: 10 * time.Second}
	state := plain
	state.Name, state.Exclusive = "state", true
	stands := state
	stands.Name, stands.StandsBy, stands.Start = "stands", true, 2*time.Minute
	based := plain
	based.Name, based.Needs = "based", slipway.Needs{Postgres: true, Redis: true}
	return map[string]slipway.AgentKind{"plain": plain, "state": state, "stands": stands, "based": based}
}

// doesNotSettle says whether an agent of this mode passes its gate and fails
// again and again afterwards.
func doesNotSettle(mode string) bool { return mode == passesOnly || mode == hangs }

// ownsState says whether what a script runs as is exclusive.
func (s script) ownsState() bool { return kinds()[s["kind"]].Exclusive }

// works says whether an agent of this mode comes to serve.
func works(mode string) bool {
	switch mode {
	case serves, servesLate, exitsOnce, deafToStop, lingers, busy:
		return true
	}
	return false
}
