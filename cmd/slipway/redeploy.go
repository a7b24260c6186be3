package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

type redeployOptions struct {
	connection
	noWait, json bool
}

func newRedeployCommand() *cobra.Command {
	var o redeployOptions
	cmd := &cobra.Command{
		Use:   "redeploy NAME [REVISION]",
		Short: "Make a new revision of one that was built before",
		Long:  "Redeploy makes a new revision of REVISION, with its artefact, configuration and variables, without a build.\nUnless named that is the one that serves, else the newest.",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0], append(args, "")[1])
		},
	}
	o.flags(cmd)
	return cmd
}

func (o *redeployOptions) flags(cmd *cobra.Command) {
	o.register(cmd)
	cmd.Flags().BoolVar(&o.noWait, "no-wait", false, "leave as soon as the server has accepted it")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the deployment as JSON at the end; progress goes to standard error")
}

func (o *redeployOptions) run(ctx context.Context, out, errs io.Writer, name, revision string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := c.FindDeployment(ctx, name)
	if err != nil {
		return err
	}
	if revision = first(revision, value(d.ActiveRevisionID), value(d.LatestRevisionID)); revision == "" {
		return fmt.Errorf("%s has no revision yet", name)
	}
	return o.redeploy(ctx, c, newScreen(progressTo(o.json, out, errs)), d, revision, out)
}

// redeploy makes the new revision and waits for its end, unless it is not to.
func (o *redeployOptions) redeploy(ctx context.Context, c *client.Client, s *screen, d wire.Deployment, revision string, out io.Writer) error {
	d, err := c.Redeploy(ctx, d.ID, revision)
	if err != nil {
		return err
	}
	if d.LatestRevisionID == nil {
		return fmt.Errorf("the server made no revision of %s", d.Name)
	}
	return finish(ctx, c, s, d, finishOptions{wait: !o.noWait, json: o.json, out: out})
}
