package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

type deployOptions struct {
	connection
	dir, name, config    string
	env                  []string
	source               wire.SourceConfigRequest
	noWait, json, detail bool
}

func newDeployCommand() *cobra.Command {
	var o deployOptions
	var wait bool
	cmd := &cobra.Command{
		Use:   "deploy [DIR]",
		Short: "Deploy the app in a folder",
		Long: "Deploy uploads the app in DIR (this folder unless named), builds it and lets it serve.\n" +
			"A deployment that is there gets a new revision; its variables stay unless named anew.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir = first(append(args, ".")...)
			o.noWait = o.noWait || !wait
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.name, "name", "", "name of the deployment (the folder's unless set)")
	flags.StringVar(&o.config, "config", "langgraph.json", "the app's configuration, within DIR")
	flags.StringArrayVar(&o.env, "env", nil, "set a variable of the agent, as `K=V`; may be given again")
	registerSource(flags, &o.source)
	flags.BoolVar(&wait, "wait", true, "wait until the revision serves or fails")
	flags.BoolVar(&o.noWait, "no-wait", false, "leave as soon as the server has accepted it")
	flags.BoolVarP(&o.detail, "verbose", "v", false, "show the build log as it comes")
	flags.BoolVar(&o.json, "json", false, "print the deployment as JSON at the end; progress goes to standard error")
	cmd.MarkFlagsMutuallyExclusive("wait", "no-wait")
	return cmd
}

// registerSource adds the settings that say how the app is built and run. What is
// not given is not sent, and stays as it is.
func registerSource(flags *pflag.FlagSet, c *wire.SourceConfigRequest) {
	text := func(field **string, name, usage string) {
		flags.Func(name, usage, func(value string) error { *field = &value; return nil })
	}
	text(&c.AgentServer, "agent-server", "`server` that runs the app: langgraph (unless set), or aegra for Python apps on PostgreSQL")
	text(&c.Access, "access", "`who` may ask the agent: key, those who have a key of its workspace (unless set), or public, everybody")
	text(&c.InstallCommand, "install-command", "`command` that installs dependencies, in place of the usual one")
	text(&c.BuildCommand, "build-command", "`command` that is run after the dependencies are installed")
}

func (o *deployOptions) run(ctx context.Context, out, errs io.Writer) error {
	r, err := o.rollout()
	if err != nil {
		return err
	}
	r.screen = newScreen(progressTo(o.json, out, errs))
	app, err := client.Pack(o.dir)
	if err != nil {
		return err
	}
	defer app.Close()
	d, made, err := r.ensure(ctx)
	if err != nil {
		return err
	}
	if made {
		r.env = nil // it has them
	}
	if d, err = r.revise(ctx, d, app); err != nil {
		return err
	}
	return finish(ctx, r.client, r.screen, d, finishOptions{wait: !o.noWait, verbose: o.detail, json: o.json, out: out})
}

// rollout checks what can be checked here before the server is asked anything.
func (o *deployOptions) rollout() (*rollout, error) {
	name := first(o.name, folderName(o.dir))
	if name == "" {
		return nil, usagef("no name can be made of the folder's: give one by --name")
	}
	config := filepath.ToSlash(filepath.Clean(o.config))
	if !filepath.IsLocal(config) {
		return nil, usagef("--config %s: it must lie within %s", o.config, o.dir)
	}
	if _, err := os.Stat(filepath.Join(o.dir, config)); err != nil {
		return nil, fmt.Errorf("no app in %s: %w", o.dir, err)
	}
	env, err := variables(o.env)
	if err != nil {
		return nil, err
	}
	c, err := o.client()
	return &rollout{client: c, name: name, config: config, env: env, source: o.source}, err
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// folderName makes a deployment's name of a folder's.
func folderName(dir string) string {
	path, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	name := notInName.ReplaceAllString(strings.ToLower(filepath.Base(path)), "-")
	name = strings.Trim(name, "-")
	return strings.TrimRight(name[:min(len(name), 63)], "-")
}

// variables reads K=V.
func variables(list []string) ([]wire.Secret, error) {
	var out []wire.Secret
	for _, pair := range list {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usagef("--env %s: it must look like NAME=VALUE", name)
		}
		out = append(out, wire.Secret{Name: name, Value: value})
	}
	return out, nil
}

type finishOptions struct {
	wait, verbose, json bool
	out                 io.Writer
}

// finish waits for the newest revision of a deployment, unless told not to, and
// says where it serves.
func finish(ctx context.Context, c *client.Client, s *screen, d wire.Deployment, o finishOptions) error {
	s.line("Revision %s:", *d.LatestRevisionID)
	if !o.wait {
		s.line("  see what becomes of it: slipway status %s", d.Name)
	} else if err := watchOut(ctx, c, s, d, o.verbose); err != nil {
		return err
	}
	d, err := c.Deployment(ctx, d.ID)
	if err != nil {
		return fmt.Errorf("read deployment: %w", err)
	}
	if o.json {
		return printJSON(o.out, d)
	}
	if where := address(d); o.wait && where != "" {
		s.line("%s serves at %s", d.Name, where)
	}
	return nil
}

func watchOut(ctx context.Context, c *client.Client, s *screen, d wire.Deployment, verbose bool) error {
	p := progress{client: c, screen: s, verbose: verbose}
	err := p.follow(ctx, d.ID, *d.LatestRevisionID)
	if err != nil && ctx.Err() != nil {
		s.line("It goes on without you. See what becomes of it: slipway status %s", d.Name)
	}
	return err
}
