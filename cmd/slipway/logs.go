package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

type logsOptions struct {
	connection
	build, json bool
	revision    string
	lines       client.LogOptions
}

func newLogsCommand() *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Print what a deployment's agent says, or its build",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	o.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.build, "build", false, "the build's log instead of the agent's")
	flags.BoolVarP(&o.lines.Follow, "follow", "f", false, "go on with new lines; a build's log ends with the build")
	flags.IntVar(&o.lines.Tail, "tail", 200, "only the last so many lines, 0 for all")
	flags.StringVar(&o.lines.Level, "level", "", "only lines of this level: DEBUG, INFO, WARNING, ERROR, CRITICAL")
	flags.StringVar(&o.lines.Contains, "grep", "", "only lines that contain this text")
	flags.StringVar(&o.revision, "revision", "", "of this revision (the newest build, the agent of all revisions)")
	flags.BoolVar(&o.json, "json", false, "print each line as JSON")
	return cmd
}

func (o *logsOptions) run(ctx context.Context, out io.Writer, name string) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	d, err := c.FindDeployment(ctx, name)
	if err != nil {
		return err
	}
	lines, err := o.choose(ctx, c, d)
	if err != nil {
		return err
	}
	for line, err := range lines {
		if o.lines.Follow && errors.Is(err, context.Canceled) {
			return nil // that is how following ends
		}
		if err != nil {
			return err
		}
		if err := o.print(out, line); err != nil {
			return err
		}
	}
	return nil
}

func (o *logsOptions) choose(ctx context.Context, c *client.Client, d wire.Deployment) (iter.Seq2[wire.LogLine, error], error) {
	if !o.build {
		return c.DeployLogs(ctx, d.ID, o.revision, o.lines), nil
	}
	revision := first(o.revision, value(d.LatestRevisionID))
	if revision == "" {
		return nil, fmt.Errorf("%s has no revision yet", d.Name)
	}
	return c.BuildLogs(ctx, d.ID, revision, o.lines), nil
}

func (o *logsOptions) print(out io.Writer, line wire.LogLine) error {
	if o.json {
		return json.NewEncoder(out).Encode(line)
	}
	message := line.Message
	if terminal(out) {
		message = plain(message)
	}
	_, err := fmt.Fprintf(out, "%s %-7s %s\n", line.Timestamp.Format("2006-01-02T15:04:05.000Z"), line.Level, message)
	return err
}
