package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

// Images is our registry: where images lie that were pushed for deployments.
type Images interface {
	// PushToken is good for one deployment's images until a time, and PullToken
	// for reading them only.
	PushToken(d slipway.DeploymentID, until time.Time) string
	PullToken(d slipway.DeploymentID, until time.Time) string
	// Pin returns the name by digest of a deployment's image, refuses one that is
	// not there or was pushed for another, and returns the name of another
	// registry's as it is. A deployment that does not exist yet is "".
	Pin(ctx context.Context, d slipway.DeploymentID, uri string) (string, error)
	// Holds says whether a name is that of an image here which was pushed for d.
	Holds(d slipway.DeploymentID, uri string) bool
	// Retain keeps of a deployment's images those with the given digests, and
	// what was pushed or pinned lately; the others go.
	Retain(ctx context.Context, d slipway.DeploymentID, digests []string) error
	// Remove removes all images of a deployment that takes no pushes any more.
	// It returns when it has seen that they are gone.
	Remove(context.Context, slipway.DeploymentID) error
	// Remains lists what is there of a deployment, of all if it is "".
	Remains(context.Context, slipway.DeploymentID) ([]slipway.Thing, error)
	// Sweep removes what unfinished pushes left.
	Sweep(context.Context) error
}

// pullFor is how long a data plane may fetch an image with what it gets. It lies
// above the time that a revision of an image has.
const pullFor = 15 * time.Minute

// NewPushToken returns a token to push images for a deployment (contract §2).
// What is pushed is in the inventory before the first token is made.
func (s *Service) NewPushToken(ctx context.Context, who slipway.Principal, id slipway.DeploymentID) (slipway.PushToken, error) {
	err := s.once(ctx, who, func(c *change) (string, error) {
		if err := c.pushable(who, id); err != nil {
			return "", err
		}
		item := slipway.Item{Deployment: id, Kind: slipway.ItemRepository, Ref: slipway.Repository(id), CreatedAt: c.now}
		return string(id), wrap("write inventory", c.AddItem(item))
	}, func(c *change, _ string) error { return c.pushable(who, id) })
	if err != nil {
		return slipway.PushToken{}, wrap("make push token", err)
	}
	until := s.now().Add(s.config.PushFor)
	return slipway.PushToken{Deployment: id, Token: s.images.PushToken(id, until), ExpiresAt: until}, nil
}

// pushable refuses a deployment that images are not pushed for.
func (c *change) pushable(who slipway.Principal, id slipway.DeploymentID) error {
	d, err := c.owned(who, id)
	if err == nil && d.Source != slipway.SourceInternalDocker {
		err = slipway.Errorf(slipway.CodeInvalid, "push token is only available for 'internal_docker' source deployments")
	}
	if err == nil {
		_, err = c.live(who, id)
	}
	return err
}

// TakesPushes says whether what is pushed for a deployment, or pulled, is still
// of use: it exists and is not being deleted.
func (s *Service) TakesPushes(ctx context.Context, id slipway.DeploymentID) (lives bool, err error) {
	err = s.read(ctx, func(c *change) error {
		d, err := c.Deployment(id)
		if errors.Is(err, slipway.ErrNoRow) {
			return nil
		}
		lives = err == nil && !d.Deleting()
		return err
	})
	return lives, wrap("look whether a deployment lives", err)
}

// pin replaces the name of an image of the caller's deployment by its name by
// digest: a tag may name another image later.
func (s *Service) pin(ctx context.Context, who slipway.Principal, id slipway.DeploymentID, ch *slipway.Change) error {
	if ch.ImageURI == nil || *ch.ImageURI == "" {
		return nil
	}
	err := s.read(ctx, func(c *change) error {
		_, err := c.owned(who, id) // before anything is said of its images
		return err
	})
	if err != nil {
		return err
	}
	pinned, err := s.images.Pin(ctx, id, *ch.ImageURI)
	ch.ImageURI = &pinned
	return err
}

// RegistryAuth implements slipway.Sync.
func (s *Service) RegistryAuth(ctx context.Context, l slipway.Lease, id slipway.RevisionID) (auth slipway.RegistryAuth, err error) {
	err = s.read(ctx, func(c *change) error {
		r, err := c.underLease(l, id)
		if err == nil && s.images.Holds(l.Deployment, r.Config.ImageURI) {
			auth = slipway.RegistryAuth{Username: slipway.RegistryUser, Password: s.images.PullToken(l.Deployment, c.now.Add(pullFor))}
		}
		return err
	})
	if err != nil {
		return slipway.RegistryAuth{}, fmt.Errorf("authorise fetching an image: %w", err)
	}
	return auth, nil
}

// retainImages drops the images that were pushed and that no revision which can
// be deployed again names.
func (s *Service) retainImages(ctx context.Context) error {
	var after slipway.DeploymentID
	for {
		var page []slipway.Deployment
		keep := map[slipway.DeploymentID][]string{}
		err := s.read(ctx, func(c *change) (err error) {
			page, err = c.DeploymentsAfter(after, releasePage)
			for _, d := range page {
				if err == nil && d.Source == slipway.SourceInternalDocker && !d.Deleting() {
					keep[d.ID], err = c.neededImages(d)
				}
			}
			return err
		})
		if err != nil {
			return wrap("look for images that are needed", err)
		}
		for d, digests := range keep {
			err = errors.Join(err, s.images.Retain(ctx, d, digests))
		}
		if err != nil || len(page) < releasePage {
			return err
		}
		after = page[len(page)-1].ID
	}
}

// neededImages lists the digests of images that a deployment's revisions need,
// and that its next one would.
func (c *change) neededImages(d slipway.Deployment) (digests []string, err error) {
	revisions, err := c.Tx.ListRevisions(slipway.RevisionFilter{Deployment: d.ID})
	if err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	names := []string{d.RevisionConfig.ImageURI}
	for _, r := range c.service.config.Retention.Kept(revisions, d.Active, c.now) {
		names = append(names, r.Config.ImageURI, r.Artefact.Image)
	}
	for _, name := range names {
		if _, digest, pinned := strings.Cut(name, "@"); pinned {
			digests = append(digests, digest)
		}
	}
	return digests, nil
}
