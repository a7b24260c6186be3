package gateway

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/slipwayhq/slipway"
)

// passage is a request on its way through: who asks, for what, and where it is
// now. It is the request's context too, which finds it.
type passage struct {
	context.Context
	gateway    *Gateway
	observer   observer
	target     target
	admission  admission
	refused    error // what to say unless the deployment is for everybody
	keyless    bool
	probe      *probe // not nil for a probe of our own
	entry      *entry
	key        slipway.KeyID // whose right it is to ask, "" for who has none of ours
	permitted  bool
	showsKey   bool                 // X-Api-Key is good for the deployment
	apiKey     []string             // that, for an agent that takes keys
	deployment slipway.DeploymentID // that of the entry, once permitted
	stay       stay
	inside     bool // counted at stay.address
	attempt    attempt
	body       *punctual     // of the request, nil for none
	held       time.Duration // it has waited
	unreached  []string      // addresses that could not be dialled
	patience   time.Time     // until when to wait for another address
}

type passageKey struct{}

// within makes the passage a context below that of its request.
func (p *passage) within(ctx context.Context) context.Context {
	p.Context = p.attempt.follow(ctx)
	return p
}

// Value finds the passage, or what the request's context has.
func (p *passage) Value(key any) any {
	if key == (passageKey{}) {
		return p
	}
	return p.Context.Value(key)
}

func passageFrom(ctx context.Context) *passage {
	return ctx.Value(passageKey{}).(*passage)
}

// share is how full a room of a size may be for this request to come in. Whoever
// has no key can not take the places of those who have one.
func (p *passage) share(size int) int {
	if p.keyless || !p.admission.known() {
		return (size + 1) / 2
	}
	return size
}

// enter counts the request in, after waiting if its deployment holds it.
func (p *passage) enter(r *http.Request) error {
	if ok, err := p.tryEnter(nil); ok || err != nil {
		return err
	}
	if err := bufferBody(r); err != nil {
		return err
	}
	leave, ok := p.queue()
	if !ok {
		return errCrowded()
	}
	defer leave()
	limit := time.NewTimer(p.gateway.config.HoldLimit)
	defer limit.Stop()
	for {
		if ok, err := p.tryEnter(nil); ok || err != nil {
			return err
		}
		if err := p.awaitRoute(r.Context(), limit.C); err != nil {
			return err
		}
	}
}

// queue takes a place to wait at, if there is one.
func (p *passage) queue() (leave func(), ok bool) {
	if !p.entry.queue.take(p.share(p.gateway.config.MaxHeld)) {
		return nil, false
	}
	began := time.Now()
	return func() {
		took := time.Since(began)
		p.held += took
		p.entry.traffic.letGo(took)
		p.entry.queue.free()
	}, true
}

// awaitRoute waits for another route. One that is asleep is asked to be woken
// meanwhile, once for all who wait, and again if nothing comes of it.
func (p *passage) awaitRoute(ctx context.Context, limit <-chan time.Time) error {
	if !p.stay.asleep {
		return wait(ctx, p.stay.changed, nil, limit)
	}
	if p.entry.mayWake(p.gateway.config.WakeAgain) {
		p.gateway.wake(p.entry.id())
	}
	again := time.NewTimer(p.gateway.config.WakeAgain)
	defer again.Stop()
	return wait(ctx, p.stay.changed, again.C, limit)
}

func (p *passage) tryEnter(avoid []string) (bool, error) {
	var err error
	p.stay, p.inside, err = p.entry.enter(p.target, avoid, p.share(p.gateway.config.MaxOpen))
	return p.inside, err
}

func (p *passage) leave() {
	if !p.inside {
		return
	}
	p.inside = false
	p.entry.leave(p.stay)
}

// reenter is for a request that could not be delivered: it leaves and enters at
// another address, at once if there is one, else after waiting for another route
// for a short while. It returns cause if the route stays as it is.
func (p *passage) reenter(r *http.Request, cause error) error {
	if !slices.Contains(p.unreached, p.stay.address) {
		p.unreached = append(p.unreached, p.stay.address)
		p.patience = time.Now().Add(p.gateway.config.DialLimit)
	}
	changed := p.stay.changed
	p.leave()
	if time.Now().After(p.patience) {
		return cause
	}
	if isClosed(changed) {
		return p.enter(r)
	}
	if ok, err := p.tryEnter(p.unreached); ok || err != nil {
		return err
	}
	leave, ok := p.queue()
	if !ok {
		return cause
	}
	err := p.awaitTurn(r.Context(), changed)
	leave()
	if err != nil {
		return cause
	}
	return p.enter(r)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (p *passage) awaitTurn(ctx context.Context, changed <-chan struct{}) error {
	limit := time.NewTimer(time.Until(p.patience))
	defer limit.Stop()
	return wait(ctx, changed, nil, limit.C)
}
