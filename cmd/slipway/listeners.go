package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/wire"
)

type listenersOptions struct {
	connection
	json       bool
	namespaces []string
}

func newListenersCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "listeners", Short: "List, register and remove data planes elsewhere"}
	cmd.AddCommand(newListenersListCommand(), newListenersCreateCommand(), newListenersDeleteCommand())
	return cmd
}

func newListenersListCommand() *cobra.Command {
	var o listenersOptions
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List listeners",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.list(cmd.Context(), cmd.OutOrStdout()) },
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print them as JSON")
	return cmd
}

func newListenersCreateCommand() *cobra.Command {
	var o listenersOptions
	cmd := &cobra.Command{
		Use:   "create COMPUTE_ID",
		Short: "Register a listener for a cluster",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.create(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	o.register(cmd)
	cmd.Flags().StringSliceVar(&o.namespaces, "namespaces", nil, "Kubernetes namespaces that deployments may be placed in, the first by default")
	return cmd
}

func newListenersDeleteCommand() *cobra.Command {
	var o listenersOptions
	cmd := &cobra.Command{
		Use:   "delete ID",
		Short: "Remove a listener on which no deployment is placed",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.delete(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	o.register(cmd)
	return cmd
}

func (o *listenersOptions) list(ctx context.Context, out io.Writer) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	all, err := c.Listeners(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(out, all)
	}
	if len(all) == 0 {
		fmt.Fprintln(out, "There is no listener. Agents run on the server's own machine.")
		return nil
	}
	rows := [][]string{{"ID", "COMPUTE ID", "NAMESPACES", "VERSION", "CREATED (UTC)"}}
	for _, l := range all {
		rows = append(rows, []string{l.ID, l.ComputeID, namespaces(l), text(l.Version), clock(l.CreatedAt)})
	}
	return printTable(out, rows)
}

func namespaces(l wire.Listener) string {
	if n := l.ComputeConfig.K8SNamespaces; n != nil {
		return first(strings.Join(*n, ","), "-")
	}
	return "-"
}

func (o *listenersOptions) create(ctx context.Context, out io.Writer, computeID string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	in := wire.ListenerCreateRequest{ComputeType: "k8s", ComputeID: computeID}
	if o.namespaces != nil {
		in.ComputeConfig.K8SNamespaces = &o.namespaces
	}
	l, err := c.CreateListener(ctx, in)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, l.ID)
	return nil
}

func (o *listenersOptions) delete(ctx context.Context, out io.Writer, id string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	if err := c.DeleteListener(ctx, id); err != nil {
		return err
	}
	fmt.Fprintf(out, "Listener %s is removed.\n", id)
	return nil
}
