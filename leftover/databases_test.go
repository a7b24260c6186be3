package leftover_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/leftover"
)

// servers have what deployments have in databases.
type servers struct {
	things []slipway.Thing
	purged []string
}

func (s *servers) Remains(context.Context, slipway.DeploymentID) ([]slipway.Thing, error) {
	return s.things, nil
}

func (s *servers) Purge(_ context.Context, d slipway.DeploymentID) error {
	s.purged = append(s.purged, string(d))
	return nil
}

type numbers struct{ *servers }

func (n numbers) Purge(_ context.Context, d slipway.DeploymentID, number int) error {
	n.purged = append(n.purged, fmt.Sprint(d, " ", number))
	return nil
}

// What nobody knows of goes as in a deletion: all at once from PostgreSQL, by its
// numbers from Redis.
func TestDatabases(t *testing.T) {
	ctx := t.Context()
	s := &servers{things: []slipway.Thing{{Kind: slipway.ItemRedis, Ref: "3", Deployment: unknown}, {Kind: slipway.ItemRedis, Ref: "7", Deployment: unknown}}}
	for _, p := range []leftover.Place{leftover.OfDatabases(s), leftover.OfRedis(numbers{s})} {
		things, err := p.Remains(ctx)
		must(t, err)
		must(t, p.Remove(ctx, unknown, things))
	}
	if want := []string{string(unknown), string(unknown) + " 3", string(unknown) + " 7"}; !slices.Equal(s.purged, want) {
		t.Errorf("purged %q, want %q", s.purged, want)
	}
	if err := leftover.OfDatabases(s).Remove(ctx, "", nil); err == nil {
		t.Error("removed what is nobody's")
	}
	if err := leftover.OfRedis(numbers{s}).Remove(ctx, unknown, []slipway.Thing{{Ref: "x"}}); err == nil {
		t.Error("removed a number that is none")
	}
}
