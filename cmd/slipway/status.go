package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

type statusOptions struct {
	connection
	json bool
}

func newStatusCommand() *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status NAME",
		Short: "Show how a deployment is doing",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print the deployment as JSON")
	return cmd
}

func (o *statusOptions) run(ctx context.Context, out io.Writer, name string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := c.FindDeployment(ctx, name)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, d)
	}
	newest, err := newestRevision(ctx, c, d)
	if err != nil {
		return err
	}
	return printTable(out, describe(d, newest))
}

func newestRevision(ctx context.Context, c *client.Client, d wire.Deployment) (*wire.Revision, error) {
	if d.LatestRevisionID == nil {
		return nil, nil
	}
	r, err := c.Revision(ctx, d.ID, *d.LatestRevisionID)
	return &r, err
}

// describe lists what there is to say of a deployment.
func describe(d wire.Deployment, newest *wire.Revision) [][]string {
	rows := [][]string{{"name", d.Name}, {"id", d.ID}, {"status", d.Status}, {"url", first(address(d), "- (not yet deployed)")}}
	if d.Health != nil {
		rows = append(rows, []string{"health", d.Health.State + after(": ", plain(value(d.Health.Reason)))})
	}
	if d.Scale != nil {
		rows = append(rows, []string{"replicas", describeScale(*d.Scale)})
	}
	if r := d.SnapshotRestore; r != nil {
		rows = append(rows, []string{"snapshot", "of " + r.From + ", " + r.State + " " + clock(r.Since) + " UTC" + after(": ", plain(value(r.Reason)))})
	}
	if d.DeletionProtection {
		rows = append(rows, []string{"protected", "its deletion is refused; to lift that: slipway protect " + d.Name + " --off"})
	}
	rows = append(rows, []string{"serving", text(d.ActiveRevisionID)})
	if newest == nil {
		rows = append(rows, []string{"newest", "- (nothing uploaded yet)"})
	} else {
		rows = append(rows, describeRevision(*newest)...)
	}
	for _, v := range d.Secrets {
		rows = append(rows, []string{"variable", v.Name})
	}
	return append(rows, []string{"created", clock(d.CreatedAt) + " UTC"}, []string{"changed", clock(d.UpdatedAt) + " UTC"})
}

func describeScale(s wire.DeploymentScale) string {
	text := fmt.Sprintf("%d of %d", s.Replicas, s.Wanted)
	switch {
	case s.Asleep:
		text = fmt.Sprintf("asleep, until a request comes (%d woken so far)", s.Woken)
	case s.Min < s.Max:
		text += fmt.Sprintf(", %d to %d by load", s.Min, s.Max)
	}
	return text + after("; ", plain(value(s.Reason)))
}

func describeRevision(r wire.Revision) [][]string {
	rows := [][]string{{"newest", r.ID + " " + r.Status}}
	if r.StatusMessage != nil {
		rows = append(rows, []string{"reason", firstLine(plain(*r.StatusMessage))})
	}
	if r.Failure != nil && r.Failure.Hint != nil {
		rows = append(rows, []string{"hint", firstLine(plain(*r.Failure.Hint))})
	}
	return rows
}
