package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway"
)

// Certificates are what names of deployments, <slug>.<domain>, were given for TLS.
type Certificates interface {
	// Names lists those of which there is anything.
	Names(context.Context) ([]string, error)
	// Remove removes what there is of a name; again it does nothing.
	Remove(ctx context.Context, name string) error
}

// PlanCertificate writes down that the deployment at a name is to have a
// certificate, before it is made. Where there is none it is refused.
func (s *Service) PlanCertificate(ctx context.Context, name string) error {
	var planned bool
	err := s.read(ctx, func(c *change) (err error) {
		_, planned, err = c.certificate(name)
		return err
	})
	if err != nil || planned {
		return wrap("look for certificate", err)
	}
	return wrap("plan certificate", s.change(ctx, func(c *change) error {
		item, planned, err := c.certificate(name)
		if err != nil || planned {
			return err
		}
		return c.AddItem(item)
	}))
}

// AdoptCertificates plans those at names that have one already: servers of before
// wrote none down.
func (s *Service) AdoptCertificates(ctx context.Context, names []string) (err error) {
	for _, name := range names {
		if failed := s.PlanCertificate(ctx, name); slipway.CodeOf(failed) != slipway.CodeNotFound {
			err = errors.Join(err, failed)
		}
	}
	return wrap("adopt certificates", err)
}

// certificate is the item of a name's certificate, and whether it is in the
// inventory of the deployment that has the name.
func (c *change) certificate(name string) (i slipway.Item, planned bool, err error) {
	slug, _, _ := strings.Cut(name, ".")
	d, err := c.DeploymentBySlug(slug)
	if errors.Is(err, slipway.ErrNoRow) || err == nil && d.Deleting() {
		return i, false, slipway.Errorf(slipway.CodeNotFound, "No deployment is to be reached at %s.", name)
	}
	if err != nil {
		return i, false, fmt.Errorf("find deployment at %s: %w", name, err)
	}
	items, err := c.ListItems(d.ID)
	if err != nil {
		return i, false, fmt.Errorf("read inventory: %w", err)
	}
	i = slipway.Item{Deployment: d.ID, Kind: slipway.ItemCertificate, Ref: name, CreatedAt: c.now}
	planned = slices.ContainsFunc(items, func(o slipway.Item) bool { return o.Kind == i.Kind && o.Ref == i.Ref && o.RemovedAt.IsZero() })
	return i, planned, nil
}

// clearCertificate removes a certificate, unless it goes to another.
func (s *Service) clearCertificate(ctx context.Context, i slipway.Item) error {
	inherited := false
	err := s.change(ctx, func(c *change) (err error) {
		inherited, err = c.inherit(i)
		return err
	})
	if err != nil || inherited {
		return err
	}
	if s.config.Certificates == nil {
		return errors.New("this server knows of no certificates")
	}
	if err := s.config.Certificates.Remove(ctx, i.Ref); err != nil {
		return err
	}
	left, err := s.config.Certificates.Names(ctx)
	if err == nil && slices.Contains(left, i.Ref) {
		err = fmt.Errorf("that of %s is there still", i.Ref)
	}
	return err
}

// inherit leaves a certificate to the deployment that has its name by now, or is
// to have it after a restore: authorities give but few for the same name.
func (c *change) inherit(i slipway.Item) (bool, error) {
	heir, planned, err := c.certificate(i.Ref)
	switch {
	case slipway.CodeOf(err) == slipway.CodeNotFound:
	case err != nil:
		return false, err
	case !planned:
		if err := c.AddItem(heir); err != nil {
			return false, err
		}
	}
	owners, err := c.ItemOwners(i.Kind, i.Ref)
	if err != nil || owners <= 1 {
		return false, err
	}
	return true, c.MarkShared(i.Deployment, i.Kind, i.Ref, c.now)
}
