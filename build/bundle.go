package build

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/internal/durable"
)

const descriptionName = "bundle.json"

// description is bundle.json.
type description struct {
	Kind    string            `json:"kind"`
	Config  string            `json:"config"`
	Runtime map[string]string `json:"runtime"`

	TakesKeys bool `json:"takes_keys,omitempty"`
}

func writeDescription(dir string, a slipway.Artefact) error {
	content, err := json.MarshalIndent(description{a.Kind, a.Config, a.Runtime, a.TakesKeys}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, descriptionName), append(content, '\n'), 0o644)
}

func (b *Builder) dir(digest string) string { return filepath.Join(b.bundles, digest) }

// read returns the artefact of a bundle; os.ErrNotExist if it is not there.
func (b *Builder) read(digest string) (slipway.Artefact, error) {
	content, err := os.ReadFile(filepath.Join(b.dir(digest), descriptionName))
	if err != nil {
		return slipway.Artefact{}, err
	}
	var d description
	if err := json.Unmarshal(content, &d); err != nil {
		return slipway.Artefact{}, fmt.Errorf("bundle %s: %w", digest, err)
	}
	return slipway.Artefact{Kind: d.Kind, Digest: digest, Config: d.Config, Runtime: d.Runtime, TakesKeys: d.TakesKeys}, nil
}

// Launch says how an artefact is started.
func (b *Builder) Launch(ctx context.Context, a slipway.Artefact) (slipway.Launch, error) {
	if a.Image != "" {
		return slipway.Launch{}, nil // it says itself how it is started
	}
	k := b.kindNamed(a.Kind)
	if k == nil {
		return slipway.Launch{}, launchFailure("kind_not_served", "No agent of kind %q is served here.", a.Kind)
	}
	dir := filepath.Join(b.dir(a.Digest), "app")
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		f := launchFailure("bundle_missing", "Bundle %.12s is not on this machine any more.", a.Digest)
		return slipway.Launch{}, failure.WithHint(f, "Deploy the source again.")
	}
	launch, err := k.Launch(ctx, kind.Bundle{Dir: dir, Config: a.Config, Runtime: a.Runtime})
	return launch, atLaunch(err)
}

func launchFailure(code, format string, args ...any) *slipway.Failure {
	f := failure.New("launch", code, format, args...)
	f.Phase = slipway.PhaseDeploy
	return f
}

// atLaunch moves a failure of something shared that had to be made again to
// the phase where it happened.
func atLaunch(err error) error {
	err = failure.During("launch", err)
	if f, ok := err.(*slipway.Failure); ok {
		f.Phase = slipway.PhaseDeploy
	}
	return err
}

// Remove takes a bundle away; one that is not there is removed already. The
// caller makes sure that nobody needs it.
func (b *Builder) Remove(ctx context.Context, digest string) error {
	_, err := b.RemoveUnless(ctx, slipway.ItemBundle, digest, func() (bool, error) { return false, nil })
	return err
}

// RemoveUnless takes a bundle away if shared says no, and says whether it did.
// No build of the same bundle begins or ends between the question and the deed:
// who needs a bundle writes that down first and then calls Build.
func (b *Builder) RemoveUnless(ctx context.Context, kind slipway.ItemKind, digest string, shared func() (bool, error)) (removed bool, err error) {
	if kind == slipway.ItemImage {
		return b.removeImage(ctx, digest, shared)
	}
	if name, is := strings.CutPrefix(digest, halfMade); is {
		return true, b.removeHalfMade(name)
	}
	if !isKey(digest) {
		return false, fmt.Errorf("bundle %q has no digest for a name", digest)
	}
	unlock, err := b.locks.Lock(ctx, digest, nil)
	if err != nil {
		return false, err
	}
	defer unlock()
	if needed, err := shared(); needed || err != nil {
		return false, err
	}
	if err := durable.Remove(b.dir(digest), b.tmp); err != nil {
		return false, err
	}
	_ = b.removeUnused(time.Now()) // the bundle is gone; what is left is looked for again with the next
	return true, nil
}

// isKey tells what was made here from references, none of which may look so.
func isKey(ref string) bool {
	sum, err := hex.DecodeString(ref)
	return err == nil && len(sum) == 32
}

// List returns the digests of all bundles, in order.
func (b *Builder) List() ([]string, error) {
	entries, err := os.ReadDir(b.bundles)
	digests := make([]string, 0, len(entries))
	for _, entry := range entries {
		digests = append(digests, entry.Name())
	}
	return digests, err
}
