package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/conformance"
	"github.com/slipwayhq/slipway/client"
)

type conformanceOptions struct {
	connection
	target conformance.Target
	cases  conformance.Options
	only   string
	app    string
	json   bool
}

func newConformanceCommand() *cobra.Command {
	var o conformanceOptions
	cmd := &cobra.Command{
		Use:   "conformance",
		Short: "Check whether a server keeps the contract of the Deployment Control Plane API",
		Long: "Check whether a server, of whatever make, keeps the contract of the Deployment Control Plane API.\n\n" +
			"It makes deployments and listeners named conf-…, and deletes them again. Cases that lack what they need, such as a key of a second workspace, are not run and say so.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	o.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.target.OtherKey, "other-api-key", os.Getenv("SLIPWAY_OTHER_API_KEY"), "a key of a second workspace (SLIPWAY_OTHER_API_KEY)")
	flags.StringVar(&o.target.OrgKey, "org-api-key", os.Getenv("SLIPWAY_ORG_API_KEY"), "a key of the organisation of the first (SLIPWAY_ORG_API_KEY)")
	flags.StringVar(&o.target.Image, "image", "", "an image to make deployments of; it need not run")
	flags.StringVar(&o.app, "app", "", "folder of an app to build and deploy (none unless set)")
	flags.StringVar(&o.only, "only", "", "only cases whose group/name this regular expression matches")
	flags.BoolVar(&o.cases.FactsOnly, "strict-facts", false, "leave out what the contract leaves open")
	flags.BoolVar(&o.cases.Quick, "quick", false, "leave out builds that must succeed, and large uploads")
	flags.BoolVar(&o.cases.Extensions, "extensions", false, "run the additions of Slipway whatever the server says of itself")
	flags.DurationVar(&o.cases.Patience, "patience", 15*time.Minute, "how long a build or a deletion may take")
	flags.BoolVar(&o.json, "json", false, "print the report as JSON")
	for _, name := range []string{"other-api-key", "org-api-key"} {
		flags.Lookup(name).DefValue = "" // help must not print a key
	}
	return cmd
}

// errNotConformant ends the command with an exit code of 1.
var errNotConformant = errors.New("the server does not keep the contract")

func (o *conformanceOptions) run(ctx context.Context, out io.Writer) (err error) {
	if o.target.URL, o.target.Key, err = o.resolve(); err != nil {
		return err
	}
	if o.cases.Only, err = regexp.Compile(o.only); err != nil {
		return usagef("--only: %v", err)
	}
	if o.app != "" {
		if o.target.App, err = packed(o.app); err != nil {
			return err
		}
	}
	if !o.json {
		o.cases.Done = func(r conformance.Result) { printResult(out, r) }
	}
	report := conformance.Run(ctx, o.target, o.cases)
	if o.json {
		if err := printJSON(out, report); err != nil {
			return err
		}
	} else {
		printSummary(out, report)
	}
	switch {
	case !report.OK():
		return errNotConformant
	case ctx.Err() != nil:
		return errInterrupted
	}
	return nil
}

// packed is the gzip tarball of an app's folder.
func packed(dir string) ([]byte, error) {
	archive, err := client.Pack(dir)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	return io.ReadAll(archive)
}

// printResult prints a row of the table, and below it what is wrong.
func printResult(out io.Writer, r conformance.Result) {
	fmt.Fprintf(out, "%-8s %-4s %-9s %-11s %s\n", r.Outcome, r.Section, r.Grade, r.Group, r.Name)
	if r.Reason != "" {
		fmt.Fprintf(out, "         %s\n", r.Reason)
	}
	for _, m := range r.Mismatches {
		fmt.Fprintf(out, "         %s\n           expected: %s\n           seen:     %s\n", m.Request, m.Want, strings.TrimSpace(m.Seen))
	}
}

func printSummary(out io.Writer, r conformance.Report) {
	fmt.Fprintf(out, "\n%d passed, %d failed, %d not run\n", r.Count(conformance.Passed), r.Count(conformance.Failed), r.Count(conformance.NotRun))
	for _, left := range r.Left {
		fmt.Fprintf(out, "left behind: %s\n", left)
	}
}
