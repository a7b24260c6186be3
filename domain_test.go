package slipway_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
)

var revisionStatuses = []slipway.RevisionStatus{
	slipway.Creating, slipway.Queued, slipway.AwaitingBuild, slipway.Building, slipway.AwaitingDeploy, slipway.Deploying, slipway.Deployed,
	slipway.CreateFailed, slipway.BuildFailed, slipway.DeployFailed, slipway.Skipped, slipway.Interrupted, slipway.RevisionUnknown,
}

var revisionEvents = []slipway.RevisionEvent{
	slipway.Enqueue, slipway.BeginBuild, slipway.BeginDeploy, slipway.StartBuild, slipway.Build, slipway.StartDeploy,
	slipway.PassGate, slipway.Fail, slipway.Skip, slipway.Interrupt, slipway.Lose,
}

// The whole table, spelled out once more: from a status, by an event, to.
var revisionTable = map[slipway.RevisionStatus]string{
	slipway.Creating:       "enqueue→QUEUED fail→CREATE_FAILED skip→SKIPPED interrupt→INTERRUPTED",
	slipway.Queued:         "begin build→AWAITING_BUILD begin deploy→AWAITING_DEPLOY fail→CREATE_FAILED skip→SKIPPED interrupt→INTERRUPTED",
	slipway.AwaitingBuild:  "start build→BUILDING fail→BUILD_FAILED interrupt→INTERRUPTED lose→UNKNOWN",
	slipway.Building:       "built→AWAITING_DEPLOY fail→BUILD_FAILED interrupt→INTERRUPTED lose→UNKNOWN",
	slipway.AwaitingDeploy: "start deploy→DEPLOYING fail→DEPLOY_FAILED interrupt→INTERRUPTED lose→UNKNOWN",
	slipway.Deploying:      "pass gate→DEPLOYED fail→DEPLOY_FAILED interrupt→INTERRUPTED lose→UNKNOWN",
}

func TestRevisionTransitionsAreTotal(t *testing.T) {
	for _, from := range revisionStatuses {
		var got []string
		for _, e := range revisionEvents {
			to, err := from.After(e)
			switch {
			case err == nil:
				got = append(got, string(e)+"→"+string(to))
			case to != from:
				t.Errorf("%s after an impossible %s is %s", from, e, to)
			case !errors.Is(err, slipway.ErrTransition), !strings.Contains(err.Error(), string(from)), !strings.Contains(err.Error(), string(e)):
				t.Errorf("%s in %s: error %q does not name both", e, from, err)
			}
		}
		want := revisionTable[from]
		for _, g := range got {
			if !strings.Contains(want, g) {
				t.Errorf("%s: %s is possible and should not be", from, g)
			}
		}
		if n := strings.Count(want, "→"); n != len(got) {
			t.Errorf("%s: %d events are possible, want %d", from, len(got), n)
		}
	}
}

func TestRevisionsEndAndStayEnded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		status, phase := slipway.Creating, 0
		for _, e := range rapid.SliceOfN(rapid.SampledFrom(revisionEvents), 0, 40).Draw(t, "events") {
			to, err := status.After(e)
			if err != nil {
				continue
			}
			if status.Ended() {
				t.Fatalf("%s left by %s", status, e)
			}
			if now := slices.Index(revisionStatuses, to); now <= phase {
				t.Fatalf("%s after %s goes back", to, status)
			} else {
				phase = now
			}
			status = to
		}
		n := 0
		for _, is := range []bool{status.Waiting(), status.InProgress(), status.Ended()} {
			if is {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("%s is %d of waiting, in progress and ended", status, n)
		}
	})
}

func TestDeploymentTransitions(t *testing.T) {
	statuses := []slipway.DeploymentStatus{
		slipway.AwaitingDatabase, slipway.Ready, slipway.Unused, slipway.AwaitingDelete, slipway.AwaitingFinalDelete, slipway.Kept, slipway.DeploymentUnknown,
	}
	events := []slipway.DeploymentEvent{
		slipway.Await, slipway.Provide, slipway.Delete, slipway.StopServing, slipway.Keep, slipway.Restore, slipway.Purge, slipway.LoseDatabases,
	}
	want := map[slipway.DeploymentStatus]map[slipway.DeploymentEvent]slipway.DeploymentStatus{
		slipway.AwaitingDatabase:  {slipway.Provide: slipway.Ready, slipway.Delete: slipway.AwaitingDelete, slipway.LoseDatabases: slipway.DeploymentUnknown},
		slipway.Ready:             {slipway.Await: slipway.AwaitingDatabase, slipway.Delete: slipway.AwaitingDelete},
		slipway.Unused:            {slipway.Delete: slipway.AwaitingDelete},
		slipway.DeploymentUnknown: {slipway.Provide: slipway.Ready, slipway.Delete: slipway.AwaitingDelete},
		slipway.AwaitingDelete:    {slipway.StopServing: slipway.AwaitingFinalDelete, slipway.Keep: slipway.Kept},
		slipway.Kept:              {slipway.Restore: slipway.Ready, slipway.Purge: slipway.AwaitingDelete},
	}
	for _, from := range statuses {
		for _, e := range events {
			to, err := from.After(e)
			if expected, ok := want[from][e]; ok != (err == nil) || ok && to != expected {
				t.Errorf("%s after %s = %s, %v", from, e, to, err)
			}
		}
	}
}

func TestTurnTakesTheNewestAndSkipsTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfNDistinct(rapid.Int64Range(1, 1000), 0, 8, rapid.ID).Draw(t, "numbers")
		var waiting []slipway.Revision
		for _, n := range numbers {
			waiting = append(waiting, slipway.Revision{ID: slipway.RevisionID(rune('a' + n)), Number: n})
		}
		begin, skip := slipway.Turn(waiting)
		if len(waiting) == 0 {
			if begin != "" || skip != nil {
				t.Fatalf("nothing waits, but %q begins and %q are skipped", begin, skip)
			}
			return
		}
		if want := slipway.RevisionID(rune('a' + slices.Max(numbers))); begin != want {
			t.Fatalf("%q begins, want %q", begin, want)
		}
		if len(skip) != len(waiting)-1 || slices.Contains(skip, begin) {
			t.Fatalf("%q are skipped of %d", skip, len(waiting))
		}
	})
}

func TestIDs(t *testing.T) {
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	seen := map[slipway.DeploymentID]bool{}
	for range 1000 {
		id := slipway.NewID[slipway.DeploymentID](at)
		if len(id) != 36 || id[14] != '7' || !strings.ContainsRune("89ab", rune(id[19])) || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
	if early, late := slipway.NewID[slipway.DeploymentID](at), slipway.NewID[slipway.DeploymentID](at.Add(time.Millisecond)); early >= late {
		t.Errorf("%s is not before %s", early, late)
	}
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"a": true, "my_deployment": true, "7-up": true, strings.Repeat("x", 63): true,
		"": false, "-a": false, "a-": false, "A": false, "a b": false, "a/b": false, "ä": false, "a\n": false, "$(id)": false, strings.Repeat("x", 64): false,
	} {
		if err := slipway.CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
	id := slipway.DeploymentID("0190a0a0-0000-7000-8000-0000000abcde")
	if got := slipway.Slug("my_app", id, false); got != "my-app" {
		t.Errorf("Slug = %q", got)
	}
	if got := slipway.Slug(strings.Repeat("x", 63), id, true); len(got) != 63 || !strings.HasSuffix(got, "-0abcde") {
		t.Errorf("Slug of a taken name = %q", got)
	}
}

func TestVariables(t *testing.T) {
	for name, ok := range map[string]bool{
		"TOKEN": true, "LANGSMITH_API_KEY": true, "POSTGRES_URI_CUSTOM": true,
		"PORT": false, "PATH": false, "POSTGRES_URI": false, "SLIPWAY_STATE_DIR": false, "A=B": false, "": false, "1A": false, "A-B": false,
	} {
		err := slipway.CheckVariables([]slipway.EnvVar{{Name: name, Value: "v"}})
		if (err == nil) != ok {
			t.Errorf("CheckVariables(%q) = %v", name, err)
		}
		if err != nil && (slipway.CodeOf(err) != slipway.CodeInvalid || !strings.Contains(err.Error(), name)) {
			t.Errorf("CheckVariables(%q) = %v: want an invalid that names it", name, err)
		}
	}
	if slipway.CheckVariables([]slipway.EnvVar{{Name: "A", Value: "x\x00y"}}) == nil {
		t.Error("a null byte was taken")
	}
}
