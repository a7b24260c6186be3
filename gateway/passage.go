package gateway

import (
	"context"
	"net/http"
	"time"
)

// passage is a request on its way through: who asks, for what, and where it is
// now.
type passage struct {
	gateway   *Gateway
	target    target
	admission admission
	keyless   bool
	probe     *probe // not nil for a probe of our own
	entry     *entry
	stay      stay
	inside    bool      // counted at stay.address
	unreached string    // address of the last failed dial
	patience  time.Time // until when to wait for another address
}

type passageKey struct{}

func withPassage(ctx context.Context, p *passage) context.Context {
	return context.WithValue(ctx, passageKey{}, p)
}

func passageFrom(ctx context.Context) *passage {
	return ctx.Value(passageKey{}).(*passage)
}

// places is how full a room may be for this request to wait there. Whoever has
// no key can not take the places of those who have one.
func (p *passage) places() int {
	if p.keyless {
		return (p.gateway.config.MaxHeld + 1) / 2
	}
	return p.gateway.config.MaxHeld
}

// enter counts the request in, after waiting if its deployment is held.
func (p *passage) enter(r *http.Request) error {
	if ok, err := p.tryEnter(); ok || err != nil {
		return err
	}
	if err := bufferBody(r); err != nil {
		return err
	}
	if !p.entry.queue.take(p.places()) {
		return errCrowded()
	}
	defer p.entry.queue.free()
	limit := time.NewTimer(p.gateway.config.HoldLimit)
	defer limit.Stop()
	for {
		if ok, err := p.tryEnter(); ok || err != nil {
			return err
		}
		if err := wait(r.Context(), p.stay.changed, limit.C); err != nil {
			return err
		}
	}
}

func (p *passage) tryEnter() (bool, error) {
	var err error
	p.stay, p.inside, err = p.entry.enter(p.target.name)
	return p.inside, err
}

func (p *passage) leave() {
	if !p.inside {
		return
	}
	p.inside = false
	if p.entry.leave(p.stay.address) && p.probe == nil {
		p.gateway.table.sweep(p.entry.id(), p.entry)
	}
}

// reenter is for a request that could not be delivered: it leaves, waits for
// another route for a short while, and enters again. It returns cause if the
// route stays as it is.
func (p *passage) reenter(r *http.Request, cause error) error {
	if p.unreached != p.stay.address {
		p.unreached, p.patience = p.stay.address, time.Now().Add(p.gateway.config.DialLimit)
	}
	p.leave()
	if !p.entry.queue.take(p.places()) {
		return cause
	}
	err := p.awaitTurn(r.Context())
	p.entry.queue.free()
	if err != nil {
		return cause
	}
	return p.enter(r)
}

func (p *passage) awaitTurn(ctx context.Context) error {
	limit := time.NewTimer(time.Until(p.patience))
	defer limit.Stop()
	return wait(ctx, p.stay.changed, limit.C)
}
