// Package databasetest is the suite that everything passes which keeps databases.
// It promises nothing but what slipway.Databases does; what an implementation can
// not show is left out by the fields of [World].
package databasetest

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// World is where databases are kept.
type World struct {
	// Open opens the databases of an installation. What one made, the next of the
	// same name finds.
	Open func(t testing.TB, installation string) slipway.Databases
	// Drop removes a database by hand.
	Drop func(t testing.TB, d slipway.DeploymentID)
	// Orders is how many orders of calls are tried.
	Orders int
	// Connects says that the addresses lead to a PostgreSQL.
	Connects bool
	// Strangers makes things that look like those of a deployment, which has none
	// yet, and are not: a database and a login of others by the names that ours
	// would have, and returns how to see that they are as they were. Nil where there
	// can be none.
	Strangers func(t testing.TB, like slipway.DeploymentID) (intact func())
}

// Run runs the suite; each case gets a world of its own.
func Run(t *testing.T, world func(t *testing.T) World) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := world(t)
			if c.connects && !w.Connects || c.strangers && w.Strangers == nil {
				t.Skip("it can not be shown here")
			}
			c.run(&place{T: t, world: w, Databases: w.Open(t, ours), id: newID()})
		})
	}
}

// Installations of the tests.
const (
	ours   = "here-abcdef"
	theirs = "there-abcdef"
)

var cases = []struct {
	name                string
	connects, strangers bool
	run                 func(*place)
}{
	{name: "is reached", run: reached},
	{name: "provides", run: provides},
	{name: "provides at once", run: providesAtOnce},
	{name: "refuses bad requests", run: refusesBadRequests},
	{name: "one that is gone", run: gone},
	{name: "one that never was", run: never},
	{name: "rotation", run: rotation},
	{name: "what remains is told", run: remains},
	{name: "purge", run: purge},
	{name: "dump", run: dump},
	{name: "random orders", run: randomOrders},
	{name: "signs in", connects: true, run: signsIn},
	{name: "a password that is set anew", connects: true, run: passwordAnew},
	{name: "what a login makes is the owner's", connects: true, run: ownership},
	{name: "an agent comments on its database", connects: true, run: agentComments},
	{name: "no way to another database", connects: true, run: isolation},
	{name: "retire ends connections", connects: true, run: retireDisconnects},
	{name: "purge ends connections", connects: true, run: purgeDisconnects},
	{name: "usage", connects: true, run: usage},
	{name: "a dump brings things back", connects: true, run: dumpBringsBack},
	{name: "a dump is read as nobody but the owner", connects: true, run: dumpIsTrap},
	{name: "a dump that can not be read", connects: true, run: badDump},
	{name: "a dump of another deployment", connects: true, run: dumpOfAnother},
	{name: "strangers", strangers: true, run: strangers},
}

// place is one case at work on a deployment that has nothing yet.
type place struct {
	*testing.T
	slipway.Databases
	world World
	id    slipway.DeploymentID
}

func newID() slipway.DeploymentID { return slipway.NewID[slipway.DeploymentID](time.Now()) }

func login(number int) slipway.Login {
	return slipway.Login{Number: number, Password: rand.Text()}
}

// provide provides what is purged when the case ends.
func (p *place) provide(d slipway.DeploymentID, l slipway.Login) (uri string) {
	p.Helper()
	uri, err := p.Provide(p.Context(), slipway.DatabaseRequest{Deployment: d, Login: l})
	if err != nil {
		p.Fatalf("Provide: %v", err)
	}
	p.Cleanup(func() {
		if err := p.Purge(context.Background(), d); err != nil {
			p.Errorf("Purge: %v", err)
		}
	})
	return uri
}

func (p *place) want(what string, err error) {
	p.Helper()
	if err != nil {
		p.Fatalf("%s: %v", what, err)
	}
}

func (p *place) wantGone(what string, err error) {
	p.Helper()
	if !errors.Is(err, slipway.ErrDatabaseGone) {
		p.Errorf("%s: %v, want %v", what, err, slipway.ErrDatabaseGone)
	}
}

func (p *place) wantLogins(d slipway.DeploymentID, want ...int) {
	p.Helper()
	got, err := p.Logins(p.Context(), d)
	if err != nil || !slices.Equal(got, want) {
		p.Errorf("logins %v, %v; want %v", got, err, want)
	}
}

// wantThings compares what remains by kind and ref.
func (p *place) wantThings(from slipway.Databases, d slipway.DeploymentID, want ...string) {
	p.Helper()
	things, err := from.Remains(p.Context(), d)
	var got []string
	for _, t := range things {
		got = append(got, string(t.Kind)+" "+t.Ref)
		if t.What == "" || t.Deployment == "" || d != "" && t.Deployment != d {
			p.Errorf("a thing of %q: %+v", d, t)
		}
	}
	slices.Sort(got)
	got = slices.Compact(got) // a database may be several things
	slices.Sort(want)
	if err != nil || !slices.Equal(got, want) {
		p.Errorf("remains %q, %v; want %q", got, err, want)
	}
}
