package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/wire"
)

type protectOptions struct {
	connection
	off bool
}

func newProtectCommand() *cobra.Command {
	var o protectOptions
	cmd := &cobra.Command{
		Use:   "protect NAME|ID",
		Short: "Have a deployment's deletion refused, until that is lifted with --off",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.off, "off", false, "lift the protection")
	return cmd
}

func (o *protectOptions) run(ctx context.Context, out io.Writer, which string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := find(ctx, c, which)
	if err != nil {
		return err
	}
	if d, err = c.PatchDeployment(ctx, d.ID, wire.DeploymentPatchRequest{DeletionProtection: new(!o.off)}); err != nil {
		return err
	}
	if d.DeletionProtection {
		fmt.Fprintf(out, "%s is protected from deletion. To lift that: slipway protect %s --off\n", d.Name, d.Name)
		return nil
	}
	fmt.Fprintf(out, "%s is not protected from deletion.\n", d.Name)
	return nil
}
