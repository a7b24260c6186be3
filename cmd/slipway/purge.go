package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/wire"
)

type purgeOptions struct {
	connection
	force, json bool
}

func newPurgeCommand() *cobra.Command {
	var o purgeOptions
	cmd := &cobra.Command{
		Use:   "purge NAME|ID",
		Short: "Remove for good what is kept of a deleted deployment",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.force, "force", false, "do not ask")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the receipt as JSON at the end; progress goes to standard error")
	return cmd
}

func (o *purgeOptions) run(ctx context.Context, in io.Reader, out, errs io.Writer, which string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	found, err := findDeleted(ctx, c, which)
	if err != nil {
		return err
	}
	before, err := c.Deletion(ctx, found.ID)
	if err != nil {
		return err
	}
	s := newScreen(progressTo(o.json, out, errs))
	if !o.force {
		if err := o.ask(in, s, before); err != nil {
			return err
		}
	}
	if err := c.PurgeDeployment(ctx, found.ID); err != nil {
		return err
	}
	s.line("Purging %s …", found.Name)
	return watchDeletion(ctx, c, s, before, deletionEnd{o.json, out})
}

// ask shows what is kept.
func (o *purgeOptions) ask(in io.Reader, s *screen, d wire.Deletion) error {
	s.line("%s (%s) was deleted %s UTC. This removes for good", d.Name, d.DeploymentID, clock(d.DeletedAt))
	rows := [][]string{}
	for _, i := range d.Items {
		if i.RemovedAt == nil {
			rows = append(rows, []string{"  " + i.Kind, which(d.DeploymentID, i.Ref), "since " + clock(i.Since)})
		}
	}
	if err := s.table(rows); err != nil {
		return err
	}
	return s.confirm(in, d.Name, "nothing was purged")
}
