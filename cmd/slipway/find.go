package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// find returns the deployment of an id, else of a name.
func find(ctx context.Context, c *client.Client, which string) (wire.Deployment, error) {
	if id := strings.ToLower(which); uuid.MatchString(id) {
		if d, err := c.Deployment(ctx, id); !client.IsNotFound(err) {
			return d, err
		}
	}
	return c.FindDeployment(ctx, which)
}

// findDeleted returns the deleted deployment of an id, else of a name that only
// one of them had.
func findDeleted(ctx context.Context, c *client.Client, which string) (wire.DeletedDeployment, error) {
	all, err := c.DeletedDeployments(ctx)
	if err != nil {
		return wire.DeletedDeployment{}, err
	}
	var named []wire.DeletedDeployment
	for _, d := range all {
		if strings.EqualFold(d.ID, which) {
			return d, nil
		}
		if d.Name == which {
			named = append(named, d)
		}
	}
	switch len(named) {
	case 0:
		return wire.DeletedDeployment{}, fmt.Errorf("there is no deleted deployment %q; see slipway list --deleted", which)
	case 1:
		return named[0], nil
	}
	text := fmt.Sprintf("%d deleted deployments had the name %s; give the ID of one:", len(named), which)
	for _, d := range named {
		text += fmt.Sprintf("\n  %s, deleted %s UTC", d.ID, clock(d.DeletedAt))
	}
	return wire.DeletedDeployment{}, errors.New(text)
}
