package service_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
	"github.com/slipwayhq/slipway/registry"
	"github.com/slipwayhq/slipway/service"
)

// untrue are places that say that they have removed what is there still.
type untrue struct{ now atomic.Bool }

type untrueBlobs struct {
	*stubbornBlobs
	*untrue
}

func (u untrueBlobs) DeleteAll(ctx context.Context, folder string) error {
	if u.now.Load() {
		return nil
	}
	return u.stubbornBlobs.DeleteAll(ctx, folder)
}

type untrueImages struct {
	*registry.Registry
	*untrue
}

func (u untrueImages) Remove(ctx context.Context, d slipway.DeploymentID) error {
	if u.now.Load() {
		return nil
	}
	return u.Registry.Remove(ctx, d)
}

type untrueStore struct {
	slipway.Store
	*untrue
}

type untrueTx struct {
	slipway.Tx
	*untrue
}

func (u untrueStore) Update(ctx context.Context, fn func(slipway.Tx) error) error {
	return u.Store.Update(ctx, func(tx slipway.Tx) error { return fn(untrueTx{tx, u.untrue}) })
}

func (u untrueTx) DeleteDeployment(d slipway.DeploymentID) error {
	if u.now.Load() {
		return nil
	}
	return u.Tx.DeleteDeployment(d)
}

// That something was removed is not believed: it is looked for again, and what is
// there is shown and removed after all. Nothing says that it is gone before.
func TestRemovalIsNotBelieved(t *testing.T) {
	p := newPlane(t)
	uploaded := p.create("uploaded").ID
	p.upload(uploaded, "source")
	pushed, err := p.Create(t.Context(), p.who, slipway.NewDeployment{Name: "pushed", Source: slipway.SourceInternalDocker})
	must(t, err)
	_, err = p.NewPushToken(t.Context(), p.who, pushed.ID)
	must(t, err)
	repository := filepath.Join(p.dir, "registry", "repositories", string(pushed.ID))
	must(t, os.MkdirAll(filepath.Join(repository, "app"), 0o700))
	bare := p.create("bare").ID

	u := &untrue{}
	u.now.Store(true)
	p.Service = service.New(untrueStore{p.store, u}, untrueBlobs{p.blobs, u}, untrueImages{p.images, u}, nil, service.Config{Now: p.clock})
	if err := p.Delete(t.Context(), p.who, bare, slipway.DeleteOptions{}); err == nil || !strings.Contains(err.Error(), "are still there") {
		t.Errorf("rows that stay: %v", err)
	}
	kinds := map[slipway.DeploymentID]slipway.ItemKind{uploaded: slipway.ItemUpload, pushed.ID: slipway.ItemRepository}
	for id := range kinds {
		must(t, p.Delete(t.Context(), p.who, id, slipway.DeleteOptions{}))
	}
	p.coordinate()
	for id, kind := range kinds {
		testsignal.Until(t, "what is left to be shown", func() bool {
			for _, i := range p.receipt(id).Items {
				if i.Kind == kind && i.Attempts > 0 && i.RemovedAt.IsZero() && strings.Contains(i.LastError, "is there still") {
					return true
				}
			}
			return false
		})
	}
	u.now.Store(false)
	p.pass(time.Hour)
	p.coordinate()
	for id := range kinds {
		p.ended(id)
	}
	if left, err := p.blobs.List(t.Context(), "uploads/"+string(uploaded)); err != nil || len(left) > 0 {
		t.Errorf("left of what was uploaded: %v, %v", left, err)
	}
	if _, err := os.Stat(repository); !os.IsNotExist(err) {
		t.Errorf("left of what was pushed: %v", err)
	}
	must(t, p.Delete(t.Context(), p.who, bare, slipway.DeleteOptions{}))
}
