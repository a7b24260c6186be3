package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/wire"
)

type revisionsOptions struct {
	connection
	json bool
}

func newRevisionsCommand() *cobra.Command {
	var o revisionsOptions
	cmd := &cobra.Command{
		Use:   "revisions NAME",
		Short: "List the revisions of a deployment, newest first",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print them as JSON")
	return cmd
}

func (o *revisionsOptions) run(ctx context.Context, out io.Writer, name string) error {
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
	if o.json {
		return printJSON(out, all)
	}
	if len(all) == 0 {
		fmt.Fprintf(out, "%s has no revision yet.\n", name)
		return nil
	}
	return printTable(out, revisionRows(d, all))
}

func revisionRows(d wire.Deployment, all []wire.Revision) [][]string {
	rows := [][]string{{"", "REVISION", "STATUS", "CREATED (UTC)", "REASON"}}
	for _, r := range all {
		rows = append(rows, []string{serving(d, r), r.ID, r.Status, clock(r.CreatedAt), first(firstLine(plain(value(r.StatusMessage))), "-")})
	}
	return rows
}

// serving marks the revision that serves.
func serving(d wire.Deployment, r wire.Revision) string {
	if value(d.ActiveRevisionID) == r.ID {
		return "*"
	}
	return ""
}
