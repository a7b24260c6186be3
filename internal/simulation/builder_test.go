package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

// builder makes artefacts as their scripts say. Its bundles outlive a process.
type builder struct {
	w *world

	mu      sync.Mutex
	bundles map[string]string // source by key; "" while it is being built
	tries   map[string]int
	keys    map[string]chan struct{} // a lock each
}

func newBuilder(w *world) *builder {
	return &builder{w: w, bundles: map[string]string{}, tries: map[string]int{}, keys: map[string]chan struct{}{}}
}

func (b *builder) Key(r slipway.BuildRequest) string { return "bundle-" + r.SourceDigest }

func (b *builder) Makes(r slipway.BuildRequest) (slipway.ItemKind, string) {
	return slipway.ItemBundle, b.Key(r)
}

func (b *builder) Kinds() map[string]slipway.AgentKind { return kinds() }

// lock takes the lock of a key. A channel, so that waiting for it counts as
// idle for synctest.
func (b *builder) lock(key string) (unlock func()) {
	b.mu.Lock()
	if b.keys[key] == nil {
		b.keys[key] = make(chan struct{}, 1)
	}
	lock := b.keys[key]
	b.mu.Unlock()
	lock <- struct{}{}
	return func() { <-lock }
}

func (b *builder) set(key, source string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bundles[key] = source
}

func (b *builder) source(key string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bundles[key]
}

func (b *builder) Build(ctx context.Context, r slipway.BuildRequest, log io.Writer) (slipway.Artefact, error) {
	key := b.Key(r)
	defer b.lock(key)()
	b.w.mustOwn(r.Deployment, slipway.ItemBundle, key)
	from, err := r.Source(ctx)
	if err != nil {
		return slipway.Artefact{}, err
	}
	text, err := io.ReadAll(from)
	if err = errors.Join(err, from.Close()); err != nil {
		return slipway.Artefact{}, err
	}
	s := parse(string(text))
	if b.source(key) == "" {
		b.set(key, "")
		if err := b.make(ctx, key, s, log); err != nil {
			return slipway.Artefact{}, err
		}
		b.set(key, string(text))
	}
	return slipway.Artefact{Kind: s["kind"], Digest: key}, nil
}

func (b *builder) make(ctx context.Context, key string, s script, log io.Writer) error {
	switch s["build"] {
	case buildsFails:
		return &slipway.Failure{Phase: slipway.PhaseBuild, Step: "install", Code: "install_failed", Message: "It does not build."}
	case buildsSlow:
		return sleep(ctx, time.Hour)
	case buildsLate:
		time.Sleep(30 * time.Second)
		return ctx.Err()
	case buildsTries:
		b.mu.Lock()
		b.tries[key]++
		n := b.tries[key]
		b.mu.Unlock()
		if n <= 2 {
			return errors.New("the registry does not answer")
		}
	}
	for n := range 3 {
		fmt.Fprintf(log, "step %d\n", n)
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) Launch(_ context.Context, a slipway.Artefact) (slipway.Launch, error) {
	source := b.source(a.Digest)
	if source == "" {
		b.w.fault("launch of %s, which is not there", a.Digest)
		return slipway.Launch{}, errors.New("no such bundle")
	}
	return slipway.Launch{Args: append([]string{"/agent"}, strings.Fields(source)...)}, nil
}

func (b *builder) RemoveUnless(_ context.Context, _ slipway.ItemKind, key string, shared func() (bool, error)) (bool, error) {
	defer b.lock(key)()
	if kept, err := shared(); kept || err != nil {
		return false, err
	}
	if b.w.failing("remove bundle") {
		return false, errors.New("the bundle is busy")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.bundles, key)
	return true, nil
}

func (b *builder) Remains(context.Context) (things []slipway.Thing, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.bundles {
		things = append(things, slipway.Thing{Kind: slipway.ItemBundle, Ref: key, What: "bundle " + key})
	}
	return things, nil
}

func (b *builder) There(ctx context.Context, kind slipway.ItemKind, ref string) ([]slipway.Thing, error) {
	all, err := b.Remains(ctx)
	return slices.DeleteFunc(all, func(t slipway.Thing) bool { return t.Kind != kind || t.Ref != ref }), err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
