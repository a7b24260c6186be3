package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

type leftoversOptions struct {
	connection
	json bool
}

func newLeftoversCommand() *cobra.Command {
	var o leftoversOptions
	cmd := &cobra.Command{
		Use:   "leftovers",
		Short: "List what the server made, found, and knows nothing of",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print them as JSON")
	return cmd
}

func (o *leftoversOptions) run(ctx context.Context, out io.Writer) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	all, err := c.Leftovers(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, all)
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "Nothing is left over.")
		return nil
	}
	rows := [][]string{{"KIND", "WHAT", "OF", "FOUND (UTC)", "STAYS BECAUSE"}}
	for _, l := range all {
		rows = append(rows, []string{l.Kind, plain(l.What), text(l.DeploymentID), clock(l.FoundAt), plain(text(l.Kept))})
	}
	return printTable(out, rows)
}
