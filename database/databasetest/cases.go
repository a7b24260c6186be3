package databasetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/slipwayhq/slipway"
)

func reached(p *place) {
	p.want("Reach", p.Reach(p.Context()))
	p.wantThings(p, p.id)
	if again := p.world.Open(p, theirs); p.Where() == "" || again.Where() != p.Where() {
		p.Errorf("it is at %q, and at %q", p.Where(), again.Where())
	}
}

func provides(p *place) {
	l := login(1)
	uri := p.provide(p.id, l)
	for _, made := range []bool{false, true} {
		again, err := p.Provide(p.Context(), slipway.DatabaseRequest{Deployment: p.id, Login: l, Made: made})
		if err != nil || again != uri {
			p.Errorf("made %t: another address, or %v", made, err)
		}
	}
	p.wantLogins(p.id, 1)
	if u, err := p.Usage(p.Context(), p.id); err != nil || u.Bytes <= 0 {
		p.Errorf("usage %+v, %v", u, err)
	}
}

func providesAtOnce(p *place) {
	l := login(1)
	var all sync.WaitGroup
	uris := make([]string, 4)
	for i := range uris {
		all.Go(func() {
			var err error
			if uris[i], err = p.Provide(p.Context(), slipway.DatabaseRequest{Deployment: p.id, Login: l}); err != nil {
				p.Errorf("Provide: %v", err)
			}
		})
	}
	all.Wait()
	if uri := p.provide(p.id, l); slices.ContainsFunc(uris, func(u string) bool { return u != uri }) {
		p.Error("addresses differ")
	}
}

func refusesBadRequests(p *place) {
	for name, r := range map[string]slipway.DatabaseRequest{
		"no id":       {Login: login(1)},
		"a bad id":    {Deployment: `x"; DROP DATABASE postgres; --`, Login: login(1)},
		"no number":   {Deployment: p.id, Login: login(0)},
		"no password": {Deployment: p.id, Login: slipway.Login{Number: 1}},
	} {
		if _, err := p.Provide(p.Context(), r); err == nil {
			p.Errorf("%s: no error", name)
		}
	}
	for name, call := range map[string]func(slipway.DeploymentID) error{
		"Logins":  func(d slipway.DeploymentID) error { _, err := p.Logins(p.Context(), d); return err },
		"Retire":  func(d slipway.DeploymentID) error { return p.Retire(p.Context(), d, 1) },
		"Usage":   func(d slipway.DeploymentID) error { _, err := p.Usage(p.Context(), d); return err },
		"Export":  func(d slipway.DeploymentID) error { return p.Export(p.Context(), d, io.Discard) },
		"Import":  func(d slipway.DeploymentID) error { return p.Import(p.Context(), d, bytes.NewReader(nil), agrees) },
		"Purge":   func(d slipway.DeploymentID) error { return p.Purge(p.Context(), d) },
		"Remains": func(d slipway.DeploymentID) error { _, err := p.Remains(p.Context(), d); return err },
	} {
		if err := call("../../x"); err == nil || errors.Is(err, slipway.ErrDatabaseGone) {
			p.Errorf("%s of a bad id: %v", name, err)
		}
	}
	p.wantThings(p, p.id)
}

func gone(p *place) {
	l := login(1)
	p.provide(p.id, l)
	p.world.Drop(p, p.id)
	_, err := p.Provide(p.Context(), slipway.DatabaseRequest{Deployment: p.id, Login: l, Made: true})
	p.wantGone("Provide", err)
	_, err = p.Usage(p.Context(), p.id)
	p.wantGone("Usage", err)
	p.wantGone("Export", p.Export(p.Context(), p.id, io.Discard))
	p.want("Retire", p.Retire(p.Context(), p.id, 1))
	p.want("Purge", p.Purge(p.Context(), p.id))
	p.wantThings(p, p.id)
}

func never(p *place) {
	_, err := p.Provide(p.Context(), slipway.DatabaseRequest{Deployment: p.id, Login: login(1), Made: true})
	p.wantGone("Provide", err)
	_, err = p.Usage(p.Context(), p.id)
	p.wantGone("Usage", err)
	p.wantGone("Export", p.Export(p.Context(), p.id, io.Discard))
	p.wantLogins(p.id)
	p.want("Retire", p.Retire(p.Context(), p.id, 1))
	p.want("Purge", p.Purge(p.Context(), p.id))
	p.wantThings(p, p.id)
}

func rotation(p *place) {
	first := p.provide(p.id, login(1))
	if second := p.provide(p.id, login(2)); second == first {
		p.Error("two logins have one address")
	}
	p.wantLogins(p.id, 1, 2)
	for range 2 {
		p.want("Retire", p.Retire(p.Context(), p.id, 1))
		p.wantLogins(p.id, 2)
	}
	p.want("Retire of another", p.Retire(p.Context(), p.id, 7))
	p.provide(p.id, login(10))
	p.wantLogins(p.id, 2, 10)
}

func remains(p *place) {
	neighbour, other := newID(), p.world.Open(p, theirs)
	p.wantThings(p, p.id)
	p.provide(p.id, login(1))
	p.provide(p.id, login(2))
	p.provide(neighbour, login(1))
	p.wantThings(p, p.id, "database "+string(p.id), "login 1", "login 2")
	all, err := p.Remains(p.Context(), "")
	for _, d := range []slipway.DeploymentID{p.id, neighbour} {
		if !slices.ContainsFunc(all, func(t slipway.Thing) bool { return t.Deployment == d }) {
			p.Errorf("of all, %s is missing: %v, %v", d, all, err)
		}
	}
	p.wantThings(other, p.id)
	p.want("Purge of another installation", other.Purge(p.Context(), p.id))
	p.wantThings(p, p.id, "database "+string(p.id), "login 1", "login 2")
}

func purge(p *place) {
	neighbour := newID()
	p.provide(neighbour, login(1))
	p.provide(p.id, login(1))
	p.provide(p.id, login(2))
	for range 2 {
		p.want("Purge", p.Purge(p.Context(), p.id))
		p.wantThings(p, p.id)
		p.wantLogins(p.id)
	}
	p.wantLogins(neighbour, 1)
	p.provide(p.id, login(3))
	p.wantLogins(p.id, 3)
}

func dump(p *place) {
	p.provide(p.id, login(1))
	var dump bytes.Buffer
	p.want("Export", p.Export(p.Context(), p.id, &dump))
	if dump.Len() == 0 {
		p.Error("the dump is empty")
	}
	p.want("Import", p.Import(p.Context(), p.id, bytes.NewReader(dump.Bytes()), agrees))
	p.wantThings(p, p.id, "database "+string(p.id), "login 1")
	broken := errors.New("the disk is full")
	if err := p.Export(p.Context(), p.id, writer(func([]byte) (int, error) { return 0, broken })); !errors.Is(err, broken) {
		p.Errorf("a dump that can not be kept: %v", err)
	}
	if err := p.Import(p.Context(), p.id, io.MultiReader(bytes.NewReader(dump.Bytes()[:dump.Len()/2]), reader(func([]byte) (int, error) { return 0, broken })), agrees); !errors.Is(err, broken) {
		p.Errorf("a dump that breaks off: %v", err)
	}
	p.wantThings(p, p.id, "database "+string(p.id), "login 1")
}

// agrees to everything.
func agrees(context.Context) error { return nil }

type (
	writer func([]byte) (int, error)
	reader func([]byte) (int, error)
)

func (w writer) Write(b []byte) (int, error) { return w(b) }
func (r reader) Read(b []byte) (int, error)  { return r(b) }

// randomOrders compares with a model: the set of logins.
func randomOrders(p *place) {
	for range p.world.Orders {
		seed := rand.Uint64()
		order := &order{place: p, id: newID(), logins: map[int]bool{}}
		for random := rand.New(rand.NewPCG(seed, 0)); len(order.steps) < 8 && !p.Failed(); {
			order.step(random)
		}
		p.want("Purge", p.Purge(p.Context(), order.id))
		p.wantThings(p, order.id)
		if p.Failed() {
			p.Fatalf("after %q", order.steps)
		}
	}
}

// order is what was done to a deployment, and what it has for it.
type order struct {
	*place
	id     slipway.DeploymentID
	steps  []string
	logins map[int]bool
	made   bool
}

func (o *order) step(random *rand.Rand) {
	number := 1 + random.IntN(3)
	name := []string{"provide", "provide", "retire", "purge"}[random.IntN(4)]
	o.steps = append(o.steps, fmt.Sprintf("%s %d", name, number))
	var err error
	switch name {
	case "provide":
		_, err = o.Provide(o.Context(), slipway.DatabaseRequest{Deployment: o.id, Login: login(number), Made: o.made})
		o.logins[number], o.made = true, true
	case "retire":
		err = o.Retire(o.Context(), o.id, number)
		delete(o.logins, number)
	case "purge":
		err = o.Purge(o.Context(), o.id)
		clear(o.logins)
		o.made = false
	}
	if err != nil {
		o.Errorf("%s: %v", name, err)
	}
	o.wantLogins(o.id, slices.Sorted(maps.Keys(o.logins))...)
	if _, err := o.Usage(o.Context(), o.id); o.made != (err == nil) {
		o.Errorf("made %t, and usage says %v", o.made, err)
	}
}

func strangers(p *place) {
	intact := p.world.Strangers(p, p.id)
	p.wantThings(p, p.id)
	p.wantLogins(p.id)
	_, err := p.Provide(p.Context(), slipway.DatabaseRequest{Deployment: p.id, Login: login(1)})
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "database_taken" || f.Hint == "" {
		p.Errorf("Provide: %v", err)
	}
	p.want("Retire", p.Retire(p.Context(), p.id, 1))
	p.want("Purge", p.Purge(p.Context(), p.id))
	_, err = p.Usage(p.Context(), p.id)
	p.wantGone("Usage", err)
	intact()
}
