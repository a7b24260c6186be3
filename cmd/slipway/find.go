package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
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
	named, err := deletedNamed(ctx, c, which)
	if err != nil {
		return wire.DeletedDeployment{}, err
	}
	return theOnly(named, which)
}

// deletedNamed returns the deleted deployment of an id, else all that had a name.
func deletedNamed(ctx context.Context, c *client.Client, which string) ([]wire.DeletedDeployment, error) {
	all, err := c.DeletedDeployments(ctx)
	if n := slices.IndexFunc(all, func(d wire.DeletedDeployment) bool { return strings.EqualFold(d.ID, which) }); n >= 0 {
		return all[n : n+1], nil
	}
	return slices.DeleteFunc(all, func(d wire.DeletedDeployment) bool { return d.Name != which }), err
}

func theOnly(named []wire.DeletedDeployment, which string) (wire.DeletedDeployment, error) {
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
