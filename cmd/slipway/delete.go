package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

type deleteOptions struct {
	connection
	client.DeleteOptions
	dryRun, force, noWait, json bool
}

func newDeleteCommand() *cobra.Command {
	var o deleteOptions
	cmd := &cobra.Command{
		Use:   "delete NAME|ID",
		Short: "Delete a deployment; slipway restore takes it back for a while",
		Long: "Delete shows what goes with a deployment and what stays, asks, and shows how it goes.\n" +
			"For as long as the server is set to, its state, variables and revisions are kept aside: slipway restore brings it back.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
		},
	}
	o.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.dryRun, "dry-run", false, "show what would go and what would stay, and delete nothing")
	flags.BoolVar(&o.force, "force", false, "do not ask")
	flags.BoolVar(&o.Now, "now", false, "keep nothing aside: it can not be restored")
	flags.BoolVar(&o.TracingProject, "delete-tracing-project", false, "delete its tracing project too, with all traces")
	flags.BoolVar(&o.noWait, "no-wait", false, "leave as soon as the server has accepted it")
	flags.BoolVar(&o.json, "json", false, "print the receipt as it is at the end, or the plan with --dry-run, as JSON; progress goes to standard error")
	return cmd
}

func (o *deleteOptions) run(ctx context.Context, in io.Reader, out, errs io.Writer, which string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := find(ctx, c, which)
	if err != nil {
		return err
	}
	s := newScreen(progressTo(o.json, out, errs))
	switch {
	case o.dryRun:
		return o.preview(ctx, c, s, d, out)
	case !deleting(d):
		if err := o.consider(ctx, c, s, d, in); err != nil {
			return err
		}
	}
	if err := c.DeleteDeployment(ctx, d.ID, o.DeleteOptions); err != nil {
		return err
	}
	s.line("Deleting %s …", d.Name)
	if o.noWait {
		s.line("  see how it goes: slipway receipt %s", d.ID)
		return nil
	}
	return watchDeletion(ctx, c, s, wire.Deletion{Name: d.Name, DeploymentID: d.ID}, deletionEnd{o.json, out})
}

func deleting(d wire.Deployment) bool {
	s := slipway.DeploymentStatus(d.Status)
	return s == slipway.AwaitingDelete || s == slipway.AwaitingFinalDelete
}

func (o *deleteOptions) preview(ctx context.Context, c *client.Client, s *screen, d wire.Deployment, out io.Writer) error {
	plan, err := c.DeletionPlan(ctx, d.ID, o.DeleteOptions)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, plan)
	}
	return s.showPlan(plan)
}

// consider shows what would happen, and asks whether it is to. A server that
// makes no plans is asked without.
func (o *deleteOptions) consider(ctx context.Context, c *client.Client, s *screen, d wire.Deployment, in io.Reader) error {
	plan, err := c.DeletionPlan(ctx, d.ID, o.DeleteOptions)
	switch {
	case client.IsNotFound(err):
		s.line("This deletes %s%s with its threads and all other state.", d.Name, after(" at ", address(d)))
	case err != nil:
		return err
	case plan.Protected:
		return fmt.Errorf("%s is protected from deletion; to lift that: slipway protect %s --off", d.Name, d.Name)
	default:
		if err := s.showPlan(plan); err != nil {
			return err
		}
	}
	if o.force {
		return nil
	}
	return s.confirm(in, d.Name, "nothing was deleted")
}
