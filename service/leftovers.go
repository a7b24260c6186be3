package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/slipwayhq/slipway"
)

// unknownPage is how many things are looked up in one transaction.
const unknownPage = 500

// leftovers is what data planes said last. It is not stored: who starts looks.
type leftovers struct {
	mu sync.Mutex
	of map[string][]slipway.Leftover // by data plane
}

// Unknown implements slipway.Sync.
func (s *Service) Unknown(ctx context.Context, things []slipway.Thing) (unknown []slipway.Thing, err error) {
	for page := range slices.Chunk(things, unknownPage) {
		var found []slipway.Thing
		err := s.read(ctx, func(c *change) (err error) {
			found, err = c.unknown(page)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look up what remains: %w", err)
		}
		unknown = append(unknown, found...)
	}
	return unknown, nil
}

func (c *change) unknown(things []slipway.Thing) (unknown []slipway.Thing, err error) {
	known := map[slipway.DeploymentID]bool{}
	for _, t := range things {
		is, told := known[t.Deployment]
		if t.Deployment == "" || !told {
			if is, err = c.knows(t); err != nil {
				return nil, err
			}
			known[t.Deployment] = is
		}
		if !is {
			unknown = append(unknown, t)
		}
	}
	return unknown, nil
}

// knows says whether there is a row of a thing's deployment, whatever became of
// that, or of what deployments share an owner.
func (c *change) knows(t slipway.Thing) (bool, error) {
	if t.Deployment == "" {
		owners, err := c.ItemOwners(t.Kind, t.Ref)
		return owners > 0, err
	}
	_, err := c.Tx.Deployment(t.Deployment)
	if errors.Is(err, slipway.ErrNoRow) {
		return false, nil
	}
	return err == nil, err
}

// Found implements slipway.Sync.
func (s *Service) Found(_ context.Context, owner string, found []slipway.Leftover) error {
	s.leftovers.mu.Lock()
	defer s.leftovers.mu.Unlock()
	if s.leftovers.of == nil {
		s.leftovers.of = map[string][]slipway.Leftover{}
	}
	s.leftovers.of[owner] = slices.Clone(found)
	return nil
}

// Leftovers lists what the data planes of this server found last, the oldest
// first. It is for administrators of the installation.
func (s *Service) Leftovers(who slipway.Principal) ([]slipway.Leftover, error) {
	if err := administers(who, "see what is left over"); err != nil {
		return nil, err
	}
	s.leftovers.mu.Lock()
	defer s.leftovers.mu.Unlock()
	all := slices.Concat(slices.Collect(maps.Values(s.leftovers.of))...)
	slices.SortFunc(all, func(a, b slipway.Leftover) int {
		return cmp.Or(a.FoundAt.Compare(b.FoundAt), cmp.Compare(a.What, b.What))
	})
	return all, nil
}

// Stored is what the control plane itself keeps of deployments: what was uploaded
// and what was pushed.
type Stored struct{ service *Service }

// Stored tells what there is, and removes what nobody knows.
func (s *Service) Stored() Stored { return Stored{s} }

// Remains lists what is kept of all deployments.
func (s Stored) Remains(ctx context.Context) ([]slipway.Thing, error) {
	pushed, err1 := s.service.images.Remains(ctx, "")
	uploaded, err2 := s.service.uploaded(ctx)
	return append(pushed, uploaded...), errors.Join(err1, err2)
}

// Remove removes what is kept of a deployment.
func (s Stored) Remove(ctx context.Context, d slipway.DeploymentID, _ []slipway.Thing) error {
	if d == "" {
		return errors.New("of what was uploaded or pushed nothing is shared")
	}
	return errors.Join(s.service.blobs.DeleteAll(ctx, uploadFolder(d)), s.service.images.Remove(ctx, d))
}

// uploaded lists the folders of uploads. When they were made is not known.
func (s *Service) uploaded(ctx context.Context) (things []slipway.Thing, err error) {
	names, err := s.blobs.List(ctx, uploads)
	for _, name := range names {
		if d := slipway.DeploymentID(name); slipway.IsID(name) {
			things = append(things, slipway.Thing{Kind: slipway.ItemUpload, Ref: uploadFolder(d), Deployment: d, What: uploadFolder(d)})
		}
	}
	return things, err
}
