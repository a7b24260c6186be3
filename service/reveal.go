package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/slipwayhq/slipway"
)

// show completes what is answered about a deployment.
func (s *Service) show(ctx context.Context, who slipway.Principal, v slipway.DeploymentView, err error) (slipway.DeploymentView, error) {
	if err != nil {
		return slipway.DeploymentView{}, err
	}
	views := []slipway.DeploymentView{v}
	err = s.reveal(ctx, who, views, string(v.ID))
	return views[0], err
}

// reveal fills in the values of secrets for who may read them (contract §3), and
// writes down that they were shown: before they are, or not at all. It has a
// transaction of its own, so that who may not read them, which is nearly
// everybody, never pays for a write. The sets that the views name never change.
func (s *Service) reveal(ctx context.Context, who slipway.Principal, views []slipway.DeploymentView, target string) error {
	hidden := false
	for _, v := range views {
		hidden = hidden || len(v.Variables) > 0
	}
	if !hidden || !who.May(slipway.ScopeSecretsRead) {
		return nil
	}
	return wrap("show secrets", s.change(ctx, func(c *change) error {
		for i := range views {
			values, err := c.values(views[i].Secrets)
			if err != nil {
				return err
			}
			views[i].Values = values
		}
		return c.audit(who, who.Workspace, slipway.AuditSecretsRead, target)
	}))
}

// values opens a set of secrets. One that went with its deployment has none.
func (c *change) values(set slipway.SecretSetID) (map[string]string, error) {
	vars, err := c.variables(set)
	if errors.Is(err, slipway.ErrNoRow) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open secrets: %w", err)
	}
	values := make(map[string]string, len(vars))
	for _, v := range vars {
		values[v.Name] = v.Value
	}
	return values, nil
}
