package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
)

// rollbackOptions are those of the redeploy that a rollback is.
type rollbackOptions struct{ redeployOptions }

func newRollbackCommand() *cobra.Command {
	var o rollbackOptions
	cmd := &cobra.Command{
		Use:   "rollback NAME [REVISION]",
		Short: "Go back to the revision that served before",
		Long: "Rollback makes a new revision of REVISION, with its artefact, configuration and variables, without a build, and waits until it serves.\n" +
			"Unless named that is the last one that served well before the present one.",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0], append(args, "")[1])
		},
	}
	o.flags(cmd)
	return cmd
}

func (o *rollbackOptions) run(ctx context.Context, out, errs io.Writer, name, revision string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := c.FindDeployment(ctx, name)
	if err != nil {
		return err
	}
	all, err := c.Revisions(ctx, d.ID)
	if err != nil {
		return err
	}
	target, err := rollbackTarget(d, all, revision)
	if err != nil {
		return err
	}
	s := newScreen(progressTo(o.json, out, errs))
	s.line("Rolling %s back from %s to %s of %s UTC, with its configuration and variables.", name, first(value(d.ActiveRevisionID), "nothing"), target.ID, clock(target.CreatedAt))
	return o.redeploy(ctx, c, s, d, target.ID, out)
}

// rollbackTarget finds what to go back to among revisions, newest first.
func rollbackTarget(d wire.Deployment, all []wire.Revision, named string) (wire.Revision, error) {
	if named == "" {
		return servedBefore(d, all)
	}
	for _, r := range all {
		if r.ID == named {
			return r, nil
		}
	}
	return wire.Revision{}, fmt.Errorf("%s has no revision %s; see slipway revisions %s", d.Name, named, d.Name)
}

// servedBefore finds the last revision that served well before the active one.
// Which was active in between can be read from their order: there is one rollout
// at a time. What was made in the place of one that failed is a copy of the last
// that was good: before it is the one before that.
func servedBefore(d wire.Deployment, all []wire.Revision) (wire.Revision, error) {
	var active *wire.Revision
	copied := false
	for i, r := range all {
		switch {
		case r.ID == value(d.ActiveRevisionID):
			active = &all[i]
		case active == nil, r.Status != string(slipway.Deployed), r.Failure != nil:
		case active.ReturnedFrom != nil && !copied:
			copied = true
		default:
			return r, nil
		}
	}
	return wire.Revision{}, fmt.Errorf("there is nothing to go back to: no other revision of %s has served well", d.Name)
}
