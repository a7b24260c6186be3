package service

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/slipwayhq/slipway"
)

// CreateListener registers a data plane elsewhere (contract §7).
func (s *Service) CreateListener(ctx context.Context, who slipway.Principal, l slipway.Listener) (slipway.Listener, error) {
	if err := slipway.CheckComputeID(l.ComputeID); err != nil {
		return slipway.Listener{}, err
	}
	err := s.once(ctx, who, func(c *change) (string, error) {
		l.ID, l.Workspace, l.CreatedAt, l.UpdatedAt = slipway.NewID[slipway.ListenerID](c.now), who.Workspace, c.now, c.now
		return string(l.ID), c.insertListener(l)
	}, showListener(who, &l))
	return l, wrap("create listener", err)
}

// GetListener returns a listener of the caller's workspace.
func (s *Service) GetListener(ctx context.Context, who slipway.Principal, id slipway.ListenerID) (l slipway.Listener, err error) {
	err = s.read(ctx, func(c *change) error { return showListener(who, &l)(c, string(id)) })
	return l, wrap("get listener", err)
}

// showListener reads a listener of the caller's workspace by its id.
func showListener(who slipway.Principal, l *slipway.Listener) func(*change, string) error {
	return func(c *change, id string) (err error) {
		*l, err = c.ownedListener(who.Workspace, slipway.ListenerID(id))
		return err
	}
}

// ListListeners returns a page of the caller's workspace's, newest first.
func (s *Service) ListListeners(ctx context.Context, who slipway.Principal, limit, offset int) (found []slipway.Listener, err error) {
	err = s.read(ctx, func(c *change) (err error) {
		found, err = c.Tx.ListListeners(who.Workspace, limit, offset)
		return err
	})
	return found, wrap("list listeners", err)
}

// PatchListener changes what was given. Deployments keep the namespace that they
// were placed in.
func (s *Service) PatchListener(ctx context.Context, who slipway.Principal, id slipway.ListenerID, ch slipway.ListenerChange) (l slipway.Listener, err error) {
	err = s.once(ctx, who, func(c *change) (_ string, err error) {
		if l, err = c.ownedListener(who.Workspace, id); err != nil {
			return "", err
		}
		if ch.Version != nil {
			l.Version = ch.Version
		}
		if ch.Namespaces != nil {
			l.Namespaces = ch.Namespaces
		}
		l.UpdatedAt = c.now
		return string(id), c.UpdateListener(l)
	}, showListener(who, &l))
	return l, wrap("patch listener", err)
}

// namedAtMost bounds how many deployments a refusal names.
const namedAtMost = 5

// DeleteListener removes a listener that runs nothing any more.
func (s *Service) DeleteListener(ctx context.Context, who slipway.Principal, id slipway.ListenerID) error {
	return wrap("delete listener", s.change(ctx, func(c *change) error {
		if _, err := c.ownedListener(who.Workspace, id); err != nil {
			return err
		}
		placed, err := c.DeploymentsOnListener(id, namedAtMost+1)
		if err != nil {
			return fmt.Errorf("look for deployments: %w", err)
		}
		if len(placed) > 0 {
			return slipway.Errorf(slipway.CodeConflict, "Listener ID %s cannot be deleted: deployments are placed on it (%s). Delete them first.", id, someNames(placed))
		}
		return c.Tx.DeleteListener(id)
	}))
}

func someNames(list []slipway.Deployment) string {
	var names []string
	for i, d := range list {
		if i == namedAtMost {
			names = append(names, "…")
			break
		}
		if name := d.Name; d.Status == slipway.Kept {
			names = append(names, name+", which is deleted and not purged yet")
		} else {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// ownedListener reads a listener; another workspace's is as absent as one that
// never was.
func (c *change) ownedListener(ws slipway.WorkspaceID, id slipway.ListenerID) (slipway.Listener, error) {
	l, err := c.Listener(id)
	if errors.Is(err, slipway.ErrNoRow) || err == nil && l.Workspace != ws {
		return slipway.Listener{}, slipway.Errorf(slipway.CodeNotFound, "Listener ID %s not found.", id)
	}
	return l, err
}

// place settles on which data plane a new deployment runs (contract §3): the
// listener that it names, or the one here. An image must name one as soon as its
// workspace has any.
func (c *change) place(ws slipway.WorkspaceID, n *slipway.NewDeployment) (err error) {
	if n.Config.ListenerID == "" {
		return c.placeHere(ws, n.Source)
	}
	l, err := c.ownedListener(ws, slipway.ListenerID(n.Config.ListenerID))
	if slipway.CodeOf(err) == slipway.CodeNotFound {
		return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_config.listener_id' is unknown: Listener ID %s not found.", n.Config.ListenerID)
	}
	if err != nil {
		return fmt.Errorf("read listener: %w", err)
	}
	n.Config.K8sNamespace, err = l.Place(n.Config.K8sNamespace)
	n.Config.HasListener = n.Config.HasListener || n.Config.K8sNamespace != nil
	return err
}

func (c *change) placeHere(ws slipway.WorkspaceID, source slipway.Source) error {
	if source != slipway.SourceExternalDocker {
		return nil
	}
	there, err := c.Tx.ListListeners(ws, 0, 0)
	if err != nil || len(there) == 0 {
		return wrap("list listeners", err)
	}
	ids := make([]slipway.ListenerID, len(there))
	for i, l := range there {
		ids[i] = l.ID
	}
	return slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_config.listener_id' is required for workspace with available listener IDs: %s", slipway.PythonList(ids))
}

func (c *change) insertListener(l slipway.Listener) error {
	switch _, err := c.ListenerByComputeID(l.Workspace, l.ComputeID); {
	case err == nil:
		return slipway.Errorf(slipway.CodeConflict, "Listener for LangSmith workspace ID '%s' and compute ID '%s' already exists.", l.Workspace, l.ComputeID)
	case !errors.Is(err, slipway.ErrNoRow):
		return fmt.Errorf("look up compute id: %w", err)
	}
	return c.InsertListener(l)
}
