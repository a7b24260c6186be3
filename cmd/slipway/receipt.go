package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

type receiptOptions struct {
	connection
	json bool
}

func newReceiptCommand() *cobra.Command {
	var o receiptOptions
	cmd := &cobra.Command{
		Use:   "receipt NAME|ID",
		Short: "Show what became of everything that was made for a deleted deployment",
		Long: "Receipt shows how far a deletion has come, item by item: when each was removed, and when it was seen to be gone.\n" +
			"Of several that had the name, give the ID.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print it as JSON")
	return cmd
}

func (o *receiptOptions) run(ctx context.Context, out io.Writer, which string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := findReceipt(ctx, c, which)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, d)
	}
	if err := printTable(out, describeDeletion(d)); err != nil {
		return err
	}
	fmt.Fprintln(out)
	return printTable(out, receiptRows(d))
}

// findReceipt takes an id as it is. A name is that of one that is being deleted or
// is kept aside, or of one of which nothing is left.
func findReceipt(ctx context.Context, c *client.Client, which string) (wire.Deletion, error) {
	if uuid.MatchString(which) {
		if d, err := c.Deletion(ctx, which); !client.IsNotFound(err) {
			return d, err
		}
	}
	done, err := c.Deletions(ctx, which)
	if err != nil && !client.IsNotFound(err) {
		return wire.Deletion{}, err
	}
	tombs, err := deletedNamed(ctx, c, which)
	if err != nil {
		return wire.Deletion{}, err
	}
	if len(tombs) == 0 && len(done) == 1 {
		return done[0], nil
	}
	for _, d := range done {
		tombs = append(tombs, wire.DeletedDeployment{ID: d.DeploymentID, Name: d.Name, DeletedAt: d.DeletedAt})
	}
	found, err := theOnly(tombs, which)
	if err != nil {
		return wire.Deletion{}, err
	}
	return c.Deletion(ctx, found.ID)
}

func describeDeletion(d wire.Deletion) [][]string {
	rows := [][]string{
		{"name", d.Name},
		{"id", d.DeploymentID},
		{"state", d.State},
		{"deleted", clock(d.DeletedAt) + " UTC" + after(" by ", plain(whose(d)))},
	}
	for _, m := range []struct {
		name string
		at   *wire.Time
	}{{"gone", d.GoneAt}, {"kept until", keptUntil(d)}, {"done", d.DoneAt}} {
		if m.at != nil {
			rows = append(rows, []string{m.name, clock(*m.at) + " UTC"})
		}
	}
	if d.Snapshot != nil {
		rows = append(rows, []string{"snapshot", *d.Snapshot})
	}
	return rows
}

// whose deed a deletion was.
func whose(d wire.Deletion) string {
	if d.DeletedByName == nil {
		return value(d.DeletedBy)
	}
	return fmt.Sprintf("%s (%s)", *d.DeletedByName, value(d.DeletedBy))
}

// keptUntil is nil for what is not kept aside any more.
func keptUntil(d wire.Deletion) *wire.Time {
	if d.DoneAt != nil || !d.PurgeAt.After(d.DeletedAt.Time) {
		return nil
	}
	return &d.PurgeAt
}

func receiptRows(d wire.Deletion) [][]string {
	rows := [][]string{{"KIND", "WHICH", "SINCE (UTC)", "REMOVED (UTC)", "SEEN GONE (UTC)", "REMARK"}}
	for _, i := range d.Items {
		why := "-"
		if i.RemovedAt == nil && i.Error != nil {
			why = fmt.Sprintf("tried %d times in vain: %s", i.Attempts, firstLine(plain(*i.Error)))
		}
		rows = append(rows, []string{i.Kind, which(d.DeploymentID, i.Ref), clock(i.Since), first(moment(i.RemovedAt), "-"), first(moment(i.VerifiedAt), "-"), why})
	}
	for _, k := range d.Keep {
		rows = append(rows, []string{k.Kind, k.Ref, first(moment(k.Since), "-"), "stays", "-", firstLine(plain(k.Reason))})
	}
	return rows
}
