package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

type restoreOptions struct {
	connection
	name         string
	noWait, json bool
}

func newRestoreCommand() *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore NAME|ID",
		Short: "Take the deletion of a deployment back",
		Long: "Restore brings a deleted deployment back as it was, with its state, variables and revisions, and waits until it serves.\n" +
			"See what there is: slipway list --deleted",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
		},
	}
	o.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.name, "name", "", "another name for it, if its own is taken")
	flags.BoolVar(&o.noWait, "no-wait", false, "leave as soon as the server has accepted it")
	flags.BoolVar(&o.json, "json", false, "print the deployment as JSON at the end; progress goes to standard error")
	return cmd
}

func (o *restoreOptions) run(ctx context.Context, out, errs io.Writer, which string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	found, err := findDeleted(ctx, c, which)
	if err != nil {
		return err
	}
	s := newScreen(progressTo(o.json, out, errs))
	if err := awaitKept(ctx, c, s, found); err != nil {
		return err
	}
	d, err := c.RestoreDeployment(ctx, found.ID, o.name)
	if err != nil {
		return err
	}
	s.line("Restoring %s (%s), deleted %s UTC …", d.Name, d.ID, clock(found.DeletedAt))
	if o.noWait {
		s.line("  see what becomes of it: slipway status %s", d.Name)
	} else if d, err = awaitServing(ctx, c, s, d); err != nil {
		return err
	}
	if o.json {
		return printJSON(out, d)
	}
	return nil
}

// awaitKept waits until what runs of a deleted deployment is stopped: before, it
// can not be restored.
func awaitKept(ctx context.Context, c *client.Client, s *screen, d wire.DeletedDeployment) error {
	if d.State != string(slipway.DeletionStopping) {
		return nil
	}
	s.line("%s is being stopped still …", d.Name)
	if _, err := followDeletion(ctx, c, s, wire.Deletion{DeploymentID: d.ID, State: d.State, DeletedAt: d.DeletedAt}); err != nil {
		return fmt.Errorf("wait until %s (%s) is stopped: %w", d.Name, d.ID, err)
	}
	return nil
}

// awaitServing waits until a deployment serves again, and says where.
func awaitServing(ctx context.Context, c *client.Client, s *screen, d wire.Deployment) (wire.Deployment, error) {
	beside, end := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer end()
	others.Go(func() { s.reassure(beside, func(time.Time) { s.line("  … it does not serve yet") }) })
	name := d.Name
	d, err := c.WaitServing(ctx, d.ID)
	switch {
	case err != nil && ctx.Err() != nil:
		s.line("It goes on without you. See what becomes of it: slipway status %s", name)
		return d, err
	case err != nil:
		return d, fmt.Errorf("wait until %s serves: %w", name, err)
	case d.ActiveRevisionID == nil:
		s.line("%s is back. It had no revision that served.", name)
	case d.Health.State == string(slipway.Unhealthy):
		return d, fmt.Errorf("%s is back, but does not serve: %s", name, first(plain(value(d.Health.Reason)), d.Health.State))
	default:
		s.line("%s serves at %s", name, address(d))
	}
	return d, nil
}
