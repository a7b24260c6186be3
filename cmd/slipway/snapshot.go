package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

func newSnapshotCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "snapshot", Short: "See and restore the final snapshots of deleted deployments"}
	cmd.AddCommand(newSnapshotListCommand(), newSnapshotRestoreCommand(), newSnapshotCancelCommand())
	return cmd
}

type snapshotListOptions struct {
	connection
	json bool
}

func newSnapshotListCommand() *cobra.Command {
	var o snapshotListOptions
	cmd := &cobra.Command{
		Use:   "list [NAME]",
		Short: "List the final snapshots of deleted deployments, of all or of those that had a name",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), strings.Join(args, ""))
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print their receipts as JSON")
	return cmd
}

func (o *snapshotListOptions) run(ctx context.Context, out io.Writer, name string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	kept, err := snapshotsOf(ctx, c, name)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, kept)
	}
	rows := [][]string{{"NAME", "OF", "DELETED (UTC)", "SNAPSHOT"}}
	for _, d := range kept {
		rows = append(rows, []string{d.Name, d.DeploymentID, clock(d.DeletedAt), *d.Snapshot})
	}
	return printTable(out, rows)
}

// snapshotsOf returns the receipts of deployments that had a name, of all if it is
// "", and of which a snapshot was kept, the last deleted first.
func snapshotsOf(ctx context.Context, c *client.Client, name string) ([]wire.Deletion, error) {
	all, err := c.Deletions(ctx, name)
	return slices.DeleteFunc(all, func(d wire.Deletion) bool { return d.Snapshot == nil }), err
}

type snapshotRestoreOptions struct {
	connection
	from                string
	force, noWait, json bool
}

func newSnapshotRestoreCommand() *cobra.Command {
	var o snapshotRestoreOptions
	cmd := &cobra.Command{
		Use:   "restore NAME",
		Short: "Put the data of a final snapshot in the place of a deployment's",
		Long: "Restore reads the snapshot through, stops what runs of the deployment, replaces its database and its state by those\n" +
			"of the snapshot, and starts it again. Requests wait meanwhile. The data that it has goes for good.\n" +
			"The deployment must run what the snapshot was kept of: deploy that first.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
		},
	}
	o.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.from, "from", "", "NAME or ID of the deleted deployment (default: the only one with a snapshot that had this name)")
	flags.BoolVar(&o.force, "force", false, "do not ask")
	flags.BoolVar(&o.noWait, "no-wait", false, "leave as soon as the server has accepted it")
	flags.BoolVar(&o.json, "json", false, "print the deployment as JSON at the end; progress goes to standard error")
	return cmd
}

func (o *snapshotRestoreOptions) run(ctx context.Context, in io.Reader, out, errs io.Writer, name string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := find(ctx, c, name)
	if err != nil {
		return err
	}
	from, err := findSnapshot(ctx, c, first(o.from, d.Name))
	if err != nil {
		return err
	}
	s := newScreen(progressTo(o.json, out, errs))
	if !o.force {
		s.line("This puts the data of %s (%s), deleted %s UTC, in the place of what %s (%s) has, which goes for good.", from.Name, from.DeploymentID, clock(from.DeletedAt), d.Name, d.ID)
		if err := s.confirm(in, d.Name, "nothing was restored"); err != nil {
			return err
		}
	}
	if d, err = c.RestoreSnapshot(ctx, d.ID, from.DeploymentID, true); err != nil {
		return err
	}
	s.line("Restoring the snapshot of %s, deleted %s UTC, into %s …", from.DeploymentID, clock(from.DeletedAt), d.Name)
	if o.noWait {
		s.line("  see what becomes of it: slipway status %s", d.Name)
	} else if d, err = awaitRestored(ctx, c, s, d); err != nil {
		return err
	}
	if o.json {
		return printJSON(out, d)
	}
	return nil
}

// awaitRestored waits until the data is there and its agents serve.
func awaitRestored(ctx context.Context, c *client.Client, s *screen, d wire.Deployment) (wire.Deployment, error) {
	after, err := c.WaitRestored(ctx, d.ID, func(r wire.SnapshotRestore) {
		switch {
		case r.Reason != nil && r.State != string(slipway.RestoreFailed):
			s.line("  %s: %s", r.State, plain(*r.Reason))
		case r.State != string(slipway.RestoreFailed):
			s.line("  %s", r.State)
		}
	})
	switch r := after.SnapshotRestore; {
	case err != nil && ctx.Err() != nil:
		s.line("It goes on without you. See what becomes of it: slipway status %s", d.Name)
		return d, err
	case err != nil:
		return d, fmt.Errorf("wait until the snapshot is restored: %w", err)
	case r != nil && r.State == string(slipway.RestoreFailed):
		return d, fmt.Errorf("nothing was changed: %s", plain(value(r.Reason)))
	}
	return awaitServing(ctx, c, s, after)
}

func newSnapshotCancelCommand() *cobra.Command {
	var o connection
	cmd := &cobra.Command{
		Use:   "cancel NAME",
		Short: "Cancel the restore of a snapshot that has replaced nothing yet",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.cancelRestore(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	o.register(cmd)
	return cmd
}

func (o *connection) cancelRestore(ctx context.Context, out io.Writer, name string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := find(ctx, c, name)
	if err != nil {
		return err
	}
	if d, err = c.CancelSnapshotRestore(ctx, d.ID); err != nil {
		return err
	}
	newScreen(out).line("The snapshot of %s is not restored. %s starts again on the data that it has.", d.SnapshotRestore.From, d.Name)
	return nil
}

// findSnapshot returns the receipt of a deleted deployment by its id, else of the
// only one that had a name and of which a snapshot was kept.
func findSnapshot(ctx context.Context, c *client.Client, which string) (wire.Deletion, error) {
	if uuid.MatchString(which) {
		return c.Deletion(ctx, which)
	}
	kept, err := snapshotsOf(ctx, c, which)
	switch {
	case err != nil:
		return wire.Deletion{}, err
	case len(kept) == 0:
		return wire.Deletion{}, fmt.Errorf("no final snapshot was kept of a deployment %q; see slipway receipt %s", which, which)
	case len(kept) == 1:
		return kept[0], nil
	}
	text := fmt.Sprintf("snapshots of %d deployments named %s were kept; give the ID of one by --from:", len(kept), which)
	for _, d := range kept {
		text += fmt.Sprintf("\n  %s, deleted %s UTC", d.DeploymentID, clock(d.DeletedAt))
	}
	return wire.Deletion{}, errors.New(text)
}
