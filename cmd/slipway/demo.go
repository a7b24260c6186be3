package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

const (
	demoName     = "echo"
	readyTimeout = 10 * time.Second
	goneTimeout  = time.Minute
)

type demoOptions struct {
	data, listen, app string
	once              bool
}

func newDemoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start a server, deploy an agent and talk to it",
		Long: "Demo shows the whole way: it starts a server, deploys an example through the public API,\n" +
			"talks to it, and tells what to try next. Without --data it leaves nothing behind.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.data, "data", "", "data folder, kept (a temporary one unless set)")
	flags.StringVar(&o.listen, "listen", defaultListen, "address of the server; another port if that is taken")
	flags.StringVar(&o.app, "app", "", "folder of the app to deploy (an example without a model unless set)")
	flags.BoolVar(&o.once, "once", false, "do it once, clean up and leave, instead of staying until Ctrl-C")
	return cmd
}

// demo is one demonstration, and what it has made so far.
type demo struct {
	demoOptions
	screen     *screen
	temporary  bool // the data folder is ours to remove
	server     *serverProcess
	client     *client.Client
	key        string
	deployment wire.Deployment
	made       bool // the deployment is ours to delete
	graph      string
}

func (o *demoOptions) run(ctx context.Context, out io.Writer) error {
	d := &demo{demoOptions: *o, screen: newScreen(out)}
	err := d.round(ctx)
	if err == nil && !d.once {
		d.nextSteps()
		err = d.stay(ctx)
		if err == nil && !d.temporary {
			d.leaveRunning()
			return nil
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		err = errInterrupted
	case err != nil:
		d.showServerLog()
	}
	return errors.Join(err, d.cleanUp(ctx))
}

var errInterrupted = errors.New("interrupted")

// round is the demonstration itself.
func (d *demo) round(ctx context.Context) error {
	app, err := d.openApp()
	if err != nil {
		return err
	}
	defer app.Close()
	for _, step := range []func(context.Context) error{
		d.makeFolder, d.startServer,
		func(ctx context.Context) error { return d.deploy(ctx, app) },
		d.talk,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) makeFolder(context.Context) (err error) {
	if d.data == "" {
		d.temporary = true
		if d.data, err = os.MkdirTemp("", "slipway-demo-"); err != nil {
			return fmt.Errorf("make data folder: %w", err)
		}
		return nil
	}
	if d.data, err = filepath.Abs(d.data); err != nil {
		return fmt.Errorf("find data folder: %w", err)
	}
	if err := os.MkdirAll(d.data, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	return nil
}

// startServer starts a server and waits until it is ready.
func (d *demo) startServer(ctx context.Context) (err error) {
	listen, taken, err := freeAddress(d.listen)
	if err != nil {
		return err
	}
	if taken {
		d.screen.line("%s is taken; using %s instead.", d.listen, listen)
	}
	d.listen = listen
	if d.server, err = startServer(d.data, d.listen); err != nil {
		return err
	}
	d.screen.line("Starting a server at %s", baseURL(d.listen))
	d.screen.line("  data: %s", d.data)
	d.screen.line("  log:  %s", d.server.log)
	begin := time.Now()
	if err := d.server.waitReady(ctx, client.New(baseURL(d.listen), ""), readyTimeout); err != nil {
		return err
	}
	d.screen.line("  ready after %.2f s", time.Since(begin).Seconds())
	if d.key, err = readKey(d.keyPath()); err != nil {
		return err
	}
	d.client = client.New(baseURL(d.listen), d.key)
	return nil
}

func (d *demo) keyPath() string { return filepath.Join(d.data, keyFile) }

// deploy brings the app to the server, and waits until it serves.
func (d *demo) deploy(ctx context.Context, app *client.Archive) (err error) {
	r := rollout{client: d.client, screen: d.screen, name: demoName, config: configFile}
	if d.deployment, d.made, err = r.ensure(ctx); err != nil {
		return err
	}
	if !d.made {
		d.screen.line("Deployment %s is there already: it gets a new revision.", demoName)
	}
	changed, err := r.revise(ctx, d.deployment, app)
	if err != nil {
		return err
	}
	d.screen.line("Revision %s (the first build on a machine fetches packages, which takes a while):", *changed.LatestRevisionID)
	p := progress{client: d.client, screen: d.screen, verbose: true}
	if err := p.follow(ctx, changed.ID, *changed.LatestRevisionID); err != nil {
		return err
	}
	if d.deployment, err = d.client.Deployment(ctx, changed.ID); err != nil {
		return fmt.Errorf("read deployment: %w", err)
	}
	if address(d.deployment) == "" {
		return fmt.Errorf("deployment %s is %s, yet has no url", demoName, d.deployment.Status)
	}
	d.screen.line("%s serves at %s", demoName, address(d.deployment))
	return nil
}

func (d *demo) nextSteps() {
	key, url := d.keyPath(), address(d.deployment)
	d.screen.line(`
Try it yourself:
  curl -s %s/runs/wait -H "X-Api-Key: $(cat %s)" -H 'Content-Type: application/json' \
    -d '{"assistant_id": "%s", "input": {"messages": [{"role": "user", "content": "hello"}]}}'
  slipway status %s --url %s --data %s
Deploy an app of yours, from its folder:
  slipway deploy . --url %s --data %s
The vendor's own command line will work too: langgraph deploy --host-url %s
The API's description: %s/openapi.json. The docs: docs/ and README.md of the repository.`,
		url, quote(key), d.graph, demoName, baseURL(d.listen), quote(d.data), baseURL(d.listen), quote(d.data), baseURL(d.listen), baseURL(d.listen))
}

// stay waits for Ctrl-C. A server that ends before is an error.
func (d *demo) stay(ctx context.Context) error {
	end := "deletes all of it"
	if !d.temporary {
		end = "leaves all of it running"
	}
	d.screen.line("\nCtrl-C ends the demo and %s.", end)
	select {
	case <-ctx.Done():
		return nil
	case <-d.server.ended:
		return errors.New("the server has ended by itself")
	}
}

func (d *demo) leaveRunning() {
	d.screen.line(`
Left running: the server (process %d) and the agent at %s
  delete the agent:       slipway delete %s --url %s --data %s
  stop the server:        kill %d    (agents go on without it)
  start the server again: slipway server --data %s --listen %s`,
		d.server.cmd.Process.Pid, address(d.deployment), demoName, baseURL(d.listen), quote(d.data),
		d.server.cmd.Process.Pid, quote(d.data), d.listen)
}
