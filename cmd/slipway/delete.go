package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/wire"
)

type deleteOptions struct {
	connection
	force, tracing bool
}

func newDeleteCommand() *cobra.Command {
	var o deleteOptions
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a deployment with its state, and wait until nothing is left",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), args[0])
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.force, "force", false, "do not ask")
	cmd.Flags().BoolVar(&o.tracing, "delete-tracing-project", false, "delete its tracing project too, with all traces")
	return cmd
}

func (o *deleteOptions) run(ctx context.Context, in io.Reader, out io.Writer, name string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := c.FindDeployment(ctx, name)
	if err != nil {
		return err
	}
	if !o.force {
		if err := o.ask(in, out, d); err != nil {
			return err
		}
	}
	if err := c.DeleteDeployment(ctx, d.ID, o.tracing); err != nil {
		return err
	}
	fmt.Fprintf(out, "Deleting %s …\n", name)
	if err := c.WaitGone(ctx, d.ID); err != nil {
		return fmt.Errorf("wait until %s (%s) is gone: %w", name, d.ID, err)
	}
	fmt.Fprintf(out, "%s is gone.\n", name)
	return nil
}

// ask wants the name itself, as what it takes to be sure.
func (o *deleteOptions) ask(in io.Reader, out io.Writer, d wire.Deployment) error {
	what := "its threads and all other state"
	if o.tracing {
		what += " and its traces"
	}
	fmt.Fprintf(out, "This deletes %s%s with %s.\nType its name to go on: ", d.Name, after(" at ", address(d)), what)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read answer: %w", err)
	}
	if strings.TrimSpace(answer) != d.Name {
		fmt.Fprintln(out)
		return errors.New("nothing was deleted")
	}
	return nil
}
