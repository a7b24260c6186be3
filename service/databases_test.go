package service_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// based is a deployment with an active revision that has a database, and the lease
// on it.
func (p *plane) based(name string) (slipway.DeploymentView, slipway.Lease) {
	p.t.Helper()
	d := p.create(name)
	l := p.acquire(d.ID)
	r := p.push(d.ID)
	p.report(l, slipway.ItemPlanned{Kind: slipway.ItemRoute, Ref: string(d.ID)}, slipway.DatabaseWanted{})
	p.report(l, slipway.DatabaseProvided{})
	p.deploy(l, r.ID)
	return d, l
}

func (p *plane) login(l slipway.Lease) slipway.Login {
	p.t.Helper()
	login, err := p.Login(p.t.Context(), l)
	must(p.t, err)
	return login
}

// givenUp lists what is given up and not removed.
func givenUp(a slipway.Assignment) (refs []string) {
	for _, i := range a.Items {
		if !i.ReleasedAt.IsZero() {
			refs = append(refs, fmt.Sprint(i.Kind, " ", i.Ref))
		}
	}
	return refs
}

// A database is written down with a login before it is made, and until it is made
// the deployment waits for it and says why.
func TestADatabaseIsWaitedFor(t *testing.T) {
	p := newPlane(t)
	d := p.create("app")
	l := p.acquire(d.ID)
	r := p.push(d.ID)
	p.report(l, slipway.BuildStarted{Revision: r.ID})
	a := p.report(l, slipway.BuildDone{Revision: r.ID, Artefact: slipway.Artefact{Kind: "k", Digest: "bundle"}},
		slipway.DeployStarted{Revision: r.ID}, slipway.DatabaseWanted{}, slipway.InstanceWanted{Revision: r.ID, Ports: ports})
	kinds := kindsOf(a.Items)
	if a.Deployment.Status != slipway.AwaitingDatabase || !slices.Contains(kinds, slipway.ItemDatabase) || !slices.Contains(kinds, slipway.ItemLogin) {
		t.Errorf("it is %s and has %v", a.Deployment.Status, kinds)
	}
	login := p.login(l)
	if login.Number != 1 || len(login.Password) < 20 {
		t.Errorf("login %d with a password of %d letters", login.Number, len(login.Password))
	}
	p.report(l, slipway.DatabaseWanted{}, slipway.DatabaseAwaited{Reason: "The server does not answer."})
	if again := p.login(l); again != login {
		t.Error("wanted again, it has another password")
	}
	v, err := p.Get(t.Context(), p.who, d.ID)
	must(t, err)
	if v.Health.State != slipway.Unhealthy || v.Health.Reason != "The server does not answer." || v.Newest.Message != v.Health.Reason {
		t.Errorf("while it waits: %+v, %q", v.Health, v.Newest.Message)
	}
	p.pass(time.Hour)
	p.coordinate()
	testsignal.Until(t, "the deadline", func() bool {
		v, err = p.Get(t.Context(), p.who, d.ID)
		return err == nil && v.Newest.Status.Ended()
	})
	if v.Newest.Status != slipway.DeployFailed || !strings.Contains(v.Newest.Message, "the database was not there yet. The server does not answer.") || v.Status != slipway.AwaitingDatabase {
		t.Errorf("after its deadline: %s, %s %q", v.Status, v.Newest.Status, v.Newest.Message)
	}
	a = p.report(l, slipway.DatabaseProvided{})
	if a.Deployment.Status != slipway.Ready || a.Deployment.ProvidedAt.IsZero() || a.Deployment.Health != (slipway.Health{}) {
		t.Errorf("afterwards: %+v", a.Deployment)
	}
	if a = p.report(l, slipway.DatabaseWanted{}, slipway.DatabaseAwaited{Reason: "late"}); a.Deployment.Status != slipway.Ready {
		t.Errorf("wanted again it is %s", a.Deployment.Status)
	}
}

// Passwords are sealed, and nobody gets one without the lease.
func TestPasswordsAreSealed(t *testing.T) {
	p := newPlane(t)
	d, l := p.based("app")
	password := p.login(l).Password
	must(t, p.store.View(t.Context(), func(tx slipway.Tx) error {
		logins, err := tx.ListLogins(d.ID)
		if len(logins) != 1 || strings.Contains(string(logins[0].Sealed), password) {
			t.Errorf("stored: %+v", logins)
		}
		return err
	}))
	stranger := l
	stranger.Term++
	if _, err := p.Login(t.Context(), stranger); err == nil {
		t.Error("a login without the lease")
	}
	if l := p.acquire(p.create("other").ID); true {
		if _, err := p.Login(t.Context(), l); err == nil {
			t.Error("a login of what has no database")
		}
	}
}

// A rotation makes another login and a copy of the active revision. The old login
// is given up with the last instance that may use it, and its password goes.
func TestRotation(t *testing.T) {
	p := newPlane(t)
	d, l := p.based("app")
	old := p.login(l)
	before := p.report(l)
	v, err := p.RotatePassword(t.Context(), p.who, d.ID)
	must(t, err)
	fresh := p.login(l)
	if fresh.Number != 2 || fresh.Password == old.Password || v.Newest.ID == before.Active.ID {
		t.Fatalf("after the rotation: login %d, newest %s", fresh.Number, v.Newest.ID)
	}
	a := p.report(l, slipway.DeployStarted{Revision: v.Newest.ID}, slipway.DatabaseWanted{}, slipway.InstanceWanted{Revision: v.Newest.ID, Ports: ports})
	if a.InProgress.Artefact.Digest != before.Active.Artefact.Digest || len(givenUp(a)) > 0 {
		t.Errorf("in the rollout: %+v, given up %q", a.InProgress, givenUp(a))
	}
	a = p.report(l, slipway.GatePassed{Revision: v.Newest.ID})
	if len(givenUp(a)) > 0 {
		t.Errorf("while an old instance runs: given up %q", givenUp(a))
	}
	for _, i := range before.Instances {
		a = p.report(l, slipway.InstanceGone{Instance: i.ID})
	}
	if want := []string{"login 1"}; !slices.Equal(givenUp(a), want) {
		t.Fatalf("afterwards: given up %q, want %q", givenUp(a), want)
	}
	p.report(l, slipway.ItemRemoved{Kind: slipway.ItemLogin, Ref: "1"})
	must(t, p.store.View(t.Context(), func(tx slipway.Tx) error {
		logins, err := tx.ListLogins(d.ID)
		if len(logins) != 1 || logins[0].Number != 2 {
			t.Errorf("stored: %+v", logins)
		}
		return err
	}))
}

// A rotation whose revision fails keeps both logins, since both are in use.
func TestRotationThatFails(t *testing.T) {
	p := newPlane(t)
	d, l := p.based("app")
	v, err := p.RotatePassword(t.Context(), p.who, d.ID)
	must(t, err)
	p.report(l, slipway.DeployStarted{Revision: v.Newest.ID}, slipway.InstanceWanted{Revision: v.Newest.ID, Ports: ports})
	a := p.report(l, slipway.RevisionFailed{Revision: v.Newest.ID, Failure: slipway.Failure{Message: "no"}})
	for _, i := range a.Instances {
		a = p.report(l, slipway.InstanceGone{Instance: i.ID})
	}
	if len(givenUp(a)) > 0 || p.login(l).Number != 2 {
		t.Errorf("given up %q, the newest is %d", givenUp(a), p.login(l).Number)
	}
}

func TestRotationIsRefused(t *testing.T) {
	p := newPlane(t)
	plain, _ := p.served("plain")
	if _, err := p.RotatePassword(t.Context(), p.who, plain.ID); slipway.CodeOf(err) != slipway.CodeConflict || !strings.Contains(err.Error(), "no database") {
		t.Errorf("of what has no database: %v", err)
	}
	d := p.create("early")
	l := p.acquire(d.ID)
	p.report(l, slipway.DatabaseWanted{})
	p.report(l, slipway.DatabaseProvided{})
	if _, err := p.RotatePassword(t.Context(), p.who, d.ID); slipway.CodeOf(err) != slipway.CodeConflict || !strings.Contains(err.Error(), "runs nothing yet") {
		t.Errorf("of what runs nothing: %v", err)
	}
}

// With a DELETE the login goes at once and the database is kept aside; a restore
// makes a login that was never one before.
func TestTheLoginGoesWithADelete(t *testing.T) {
	p := newPlane(t, keeping)
	d, l := p.based("app")
	old := p.login(l)
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	p.stop(d.ID, l)
	if a := p.report(l); a.Deployment.Status != slipway.AwaitingDelete {
		t.Fatalf("before its login went it is %s", a.Deployment.Status)
	}
	a := p.lost(l, slipway.ItemLogin, "1")
	if left := kindsOf(a.Items); a.Deployment.Status != slipway.Kept || !slices.Contains(left, slipway.ItemDatabase) {
		t.Fatalf("it is %s and has %v", a.Deployment.Status, left)
	}
	_, err := p.Restore(t.Context(), p.who, d.ID, "")
	must(t, err)
	l = p.acquire(d.ID)
	a = p.report(l, slipway.DatabaseWanted{})
	if fresh := p.login(l); fresh.Number != 2 || fresh.Password == old.Password || a.Deployment.Status != slipway.Ready || a.Deployment.ProvidedAt.IsZero() {
		t.Errorf("restored: login %d, %s, provided %v", fresh.Number, a.Deployment.Status, a.Deployment.ProvidedAt)
	}
}

// What the variables of a revision name is told, and what is named without a value
// is not.
func TestWhatAClientBrings(t *testing.T) {
	p := newPlane(t)
	for name, c := range map[string]struct {
		vars []slipway.EnvVar
		want slipway.Needs
	}{
		"nothing":  {[]slipway.EnvVar{{Name: "A", Value: "1"}}, slipway.Needs{}},
		"postgres": {[]slipway.EnvVar{{Name: "POSTGRES_URI_CUSTOM", Value: "postgres://x"}}, slipway.Needs{Postgres: true}},
		"both": {
			[]slipway.EnvVar{{Name: "POSTGRES_URI_CUSTOM", Value: "postgres://x"}, {Name: "REDIS_URI_CUSTOM", Value: "redis://x"}},
			slipway.Needs{Postgres: true, Redis: true},
		},
		"no value": {[]slipway.EnvVar{{Name: "REDIS_URI_CUSTOM"}}, slipway.Needs{}},
	} {
		d, err := p.Create(t.Context(), p.who, slipway.NewDeployment{Name: strings.ReplaceAll(name, " ", "-"), Source: slipway.SourceInternalSource, Variables: c.vars})
		must(t, err)
		r := p.push(d.ID)
		if a := p.report(p.acquire(d.ID)); a.Brings[r.ID] != c.want {
			t.Errorf("%s: %+v, want %+v", name, a.Brings[r.ID], c.want)
		}
	}
}

// A number is given once, kept until nothing of the deployment is left, and never
// to two.
func TestRedisNumbers(t *testing.T) {
	p := newPlane(t)
	var leases []slipway.Lease
	for i := range 3 {
		leases = append(leases, p.acquire(p.create(fmt.Sprint("app-", i)).ID))
	}
	number := func(a slipway.Assignment) (ref string) {
		for _, i := range a.Items {
			if i.Kind == slipway.ItemRedis {
				ref += i.Ref
			}
		}
		return ref
	}
	wanted := slipway.RedisWanted{Numbers: []int{4, 7}}
	if got := number(p.report(leases[0], wanted)); got != "4" {
		t.Errorf("the first gets %q", got)
	}
	if got := number(p.report(leases[0], slipway.RedisWanted{Numbers: []int{7}})); got != "4" {
		t.Errorf("asking again, the first gets %q", got)
	}
	if got := number(p.report(leases[1], wanted)); got != "7" {
		t.Errorf("the second gets %q", got)
	}
	_, err := p.Report(t.Context(), leases[2], wanted)
	if err == nil || !strings.Contains(err.Error(), "All databases of the Redis") {
		t.Errorf("the third gets %v", err)
	}
	must(t, p.Delete(t.Context(), p.who, leases[0].Deployment, slipway.DeleteOptions{}))
	p.lost(leases[0], slipway.ItemRedis, "4")
	p.coordinate()
	p.ended(leases[0].Deployment)
	if got := number(p.report(leases[2], wanted)); got != "4" {
		t.Errorf("afterwards the third gets %q", got)
	}
}

// Where a database is stays known while its deployment is being deleted, and is
// corrected then, too.
func TestWhereADatabaseIs(t *testing.T) {
	p := newPlane(t)
	d, l := p.based("app")
	placed := func(place string) string {
		t.Helper()
		a := p.report(l, slipway.ItemPlaced{Kind: slipway.ItemDatabase, Ref: string(d.ID), Place: place})
		i := slices.IndexFunc(a.Items, func(i slipway.Item) bool { return i.Kind == slipway.ItemDatabase })
		return a.Items[i].Place
	}
	if got := placed("db:5432"); got != "db:5432" {
		t.Errorf("it is at %q", got)
	}
	p.report(l, slipway.DatabaseWanted{}) // again: it is there
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	if got := placed("moved:5432"); got != "moved:5432" {
		t.Errorf("it is at %q", got)
	}
}
