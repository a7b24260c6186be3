package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/client"
)

type listOptions struct {
	connection
	json bool
}

func newListCommand() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List deployments",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	o.register(cmd)
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
