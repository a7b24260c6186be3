package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/client"
)

type listOptions struct {
	connection
	deleted, json bool
}

func newListCommand() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List deployments",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.deleted {
				return o.listDeleted(cmd.Context(), cmd.OutOrStdout())
			}
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.deleted, "deleted", false, "list those that are being deleted or can be restored")
	cmd.Flags().BoolVar(&o.json, "json", false, "print them as JSON")
	return cmd
}

func (o *listOptions) run(ctx context.Context, out io.Writer) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	all, err := c.Deployments(ctx, client.Filter{})
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, all)
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "There is no deployment yet. Make one: slipway deploy DIR")
		return nil
	}
	rows := [][]string{{"NAME", "STATUS", "NEWEST REVISION", "HEALTH", "CREATED (UTC)", "URL"}}
	for _, d := range all {
		health := "-"
		if d.Health != nil {
			health = d.Health.State
		}
		rows = append(rows, []string{d.Name, d.Status, text(d.LatestRevisionStatus), health, clock(d.CreatedAt), first(address(d), "-")})
	}
	return printTable(out, rows)
}

func (o *listOptions) listDeleted(ctx context.Context, out io.Writer) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	all, err := c.DeletedDeployments(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, all)
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "There is no deleted deployment.")
		return nil
	}
	rows := [][]string{{"NAME", "ID", "STATE", "DELETED (UTC)", "BY", "KEPT UNTIL (UTC)"}}
	for _, d := range all {
		rows = append(rows, []string{d.Name, d.ID, d.State, clock(d.DeletedAt), plain(text(cmp.Or(d.DeletedByName, d.DeletedBy))), clock(d.PurgeAt)})
	}
	return printTable(out, rows)
}
