package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// rotateOptions are those of a redeploy, which a rotation comes with.
type rotateOptions struct{ redeployOptions }

func newRotateCommand() *cobra.Command {
	var o rotateOptions
	cmd := &cobra.Command{
		Use:   "rotate-database-password NAME",
		Short: "Give a deployment a new password to its database",
		Long: "Rotate-database-password makes a new login to the database that was made for the deployment, and a revision\n" +
			"that runs what the active one does and signs in by it. The old login goes with the last instance that uses it.\n" +
			"The password is never shown.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
		},
	}
	o.flags(cmd)
	return cmd
}

func (o *rotateOptions) run(ctx context.Context, out, errs io.Writer, name string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := c.FindDeployment(ctx, name)
	if err != nil {
		return err
	}
	if d, err = c.RotateDatabasePassword(ctx, d.ID); err != nil {
		return err
	}
	if d.LatestRevisionID == nil {
		return fmt.Errorf("the server made no revision of %s", d.Name)
	}
	return finish(ctx, c, newScreen(progressTo(o.json, out, errs)), d, finishOptions{wait: !o.noWait, json: o.json, out: out})
}
