package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/systemd"
	"github.com/slipwayhq/slipway/registry"
)

type serverFlags struct {
	daemon.Config
	access accessFlags
	front  gatewayFlags
	builds buildFlags
	ports  string
	uids   string
	images imageFlags
	reach  reachFlags
	traces tracesFlags

	maxLayer int // MiB
	debug    bool
	json     bool
}

func newServerCommand() *cobra.Command {
	var f serverFlags
	c := &cobra.Command{
		Use:   "server",
		Short: "Run the control plane, the data plane and the gateway in one process",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return runServer(c.Context(), f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.Data, "data", "./.slipway", "folder for everything the server keeps")
	addDatabaseFlag(c, &f.Database)
	flags.StringVar(&f.Listen, "listen", "127.0.0.1:8124", "address to listen on")
	flags.StringVar(&f.Scrapes, "metrics-listen", "", "address where Prometheus gets /metrics of everything without a key, such as 127.0.0.1:9124")
	flags.DurationVar(&f.Every, "measure-every", 15*time.Second, "how often what runs is measured, 100ms to 15s")
	flags.StringVar(&f.PublicURL, "public-url", "", "where clients reach this server (default http://<listen>)")
	flags.StringVar(&f.Domain, "domain", "", "serve agents at <deployment>.<domain> too")
	flags.StringVar(&f.ports, "agent-ports", "20000-29999", "ports given to agents, first-last")
	registerAgentUIDs(flags, &f.uids)
	registerDisk(flags, &f.AgentDisk, &f.Reserve)
	flags.DurationVar(&f.StartLimit, "start-timeout", 0, "how long an agent may take to serve (default: as its kind needs)")
	flags.DurationVar(&f.Quiet, "handover-wait", 5*time.Second, "how long a new revision that takes over the state of an old one waits for a moment without runs")
	flags.IntVar(&f.Builds, "builds", 2, "builds that run at once")
	flags.IntVar(&f.Service.Retention.Last, "keep-revisions", 5, "deployed revisions of each deployment that can be deployed again in any case")
	flags.DurationVar(&f.Service.Retention.For, "rollback-window", 72*time.Hour, "how long a revision can be deployed again after another took its place")
	registerDeletion(flags, &f.Config)
	f.Traces = daemon.Traces{Keep: 14 * 24 * time.Hour, Most: 10 << 30}
	flags.Var((*days)(&f.Traces.Keep), "traces-keep", "how long traces are kept, in whole days; 0 for ever")
	flags.Var((*byteSize)(&f.Traces.Most), "traces-max-size", "how much traces may take on the disk before the oldest days go; 0 for any amount")
	f.builds.register(flags)
	flags.DurationVar(&f.Service.SleepAfter, "sleep-after", 15*time.Minute, "how long nobody must ask for a deployment that may sleep")
	flags.DurationVar(&f.Service.ScalePace.Up, "scale-up-after", 30*time.Second, "how long more replicas must be needed before they are added")
	flags.DurationVar(&f.Service.ScalePace.Down, "scale-down-after", 30*time.Minute, "how long fewer replicas must be needed before they are removed")
	flags.DurationVar(&f.Service.PushFor, "push-token-lifetime", time.Hour, "how long a token to push images is good")
	flags.IntVar(&f.maxLayer, "max-layer-size", registry.DefaultMaxBlob>>20, "MiB that one layer of a pushed image may have")
	flags.StringVar(&f.Logins, "registry-config", "", "file with the logins of registries that images are fetched from, as docker login writes it: ~/.docker/config.json (default: none)")
	flags.StringVar(&f.DockerHost, "docker-host", "", "Docker Engine that runs images, such as unix:///var/run/docker.sock (default: "+dockerVariable+", or none)")
	registerDatabases(flags, &f.Databases)
	f.images.register(flags)
	f.access.register(flags)
	registerHealth(flags, &f.Config)
	f.front.register(flags)
	f.reach.register(flags)
	f.traces.register(flags)
	flags.BoolVar(&f.debug, "debug", false, "log every step of reconciling, with its reason")
	flags.BoolVar(&f.json, "log-json", false, "log as JSON")
	return c
}

func runServer(ctx context.Context, f serverFlags) error {
	if _, err := fmt.Sscanf(f.ports, "%d-%d", &f.Ports.First, &f.Ports.Last); err != nil || !validPorts(f.Ports) {
		return usagef("--agent-ports %q: want first-last, such as 20000-29999", f.ports)
	}
	if err := f.takeBuilds(); err != nil {
		return err
	}
	if err := f.reach.check(); err != nil {
		return err
	}
	f.Agents, f.TLS = f.reach.agents, f.reach.tls
	if f.maxLayer <= 0 || f.Service.PushFor <= 0 || f.Service.Retention.Last <= 0 || f.Service.Retention.For <= 0 {
		return usagef("--max-layer-size, --push-token-lifetime, --keep-revisions and --rollback-window must be more than nothing")
	}
	if err := checkDeletion(&f.Config); err != nil {
		return err
	}
	if err := checkHealth(f.Config); err != nil {
		return err
	}
	if err := f.traces.set(&f.Traces); err != nil {
		return err
	}
	if f.Service.SleepAfter <= 0 || f.Service.ScalePace.Up <= 0 || f.Service.ScalePace.Down <= 0 {
		return usagef("--sleep-after, --scale-up-after and --scale-down-after must be more than nothing")
	}
	var err error
	if f.AgentUsers, err = agentUsers(f.uids); err != nil {
		return err
	}
	if f.AgentDisk > 0 && f.AgentDisk < 1<<20 {
		return usagef("--agent-disk must be 1MiB or more, or 0 for any amount")
	}
	f.MaxLayer = int64(f.maxLayer) << 20
	f.Database = databaseURL(f.Database)
	fromEnvironment(&f.Databases)
	if f.DockerHost = cmp.Or(f.DockerHost, os.Getenv(dockerVariable)); f.Logins != "" && f.DockerHost == "" {
		return usagef("--registry-config: images are fetched by an engine, set --docker-host too")
	}
	if f.Images, err = f.images.bases(f.DockerHost); err != nil {
		return err
	}
	if f.Access, err = f.access.config(); err != nil {
		return err
	}
	if f.Proxies, err = f.front.trusted(); err != nil {
		return err
	}
	if f.Every < 100*time.Millisecond || f.Every > 15*time.Second {
		return usagef("--measure-every must be between 100ms and 15s")
	}
	f.Logger, f.Version = f.logger(), version
	return f.serve(ctx)
}

// serve runs a server until ctx ends, and tells systemd of it.
func (f *serverFlags) serve(ctx context.Context) error {
	service, err := systemd.Take()
	if err != nil {
		return err
	}
	f.Sockets = service.Sockets
	log, closeLog, err := f.front.openLog(context.WithoutCancel(ctx), os.Stdout, f.Logger)
	if err != nil {
		return err
	}
	defer closeLog()
	f.AccessLog = log
	_, statErr := os.Stat(daemon.AdminKeyFile(f.Data))
	daemon.CollectSeldom()
	s, err := daemon.Start(ctx, f.Config)
	if err != nil {
		return err
	}
	f.warn(service.Ready())
	if _, err := os.Stat(daemon.AdminKeyFile(f.Data)); os.IsNotExist(statErr) && err == nil {
		fmt.Fprintf(os.Stderr, "The first API key is in %s. Keep it: it is not shown again.\n", daemon.AdminKeyFile(f.Data))
	}
	f.Logger.Info("serving", slog.String("url", s.URL()), slog.String("data", f.Data), slog.String("version", version))
	select {
	case <-ctx.Done():
		f.Logger.Info("stopping; agents go on")
		f.warn(service.Stopping())
		return s.Stop()
	case err := <-s.Failed():
		return err
	}
}

// warn tells of what a server can do without.
func (f *serverFlags) warn(err error) {
	if err != nil {
		f.Logger.Warn(err.Error())
	}
}

func (f *serverFlags) takeBuilds() (err error) {
	if err := f.builds.check(); err != nil {
		return err
	}
	f.BuildLimit, f.BuildRun = f.builds.limits, strings.Fields(f.builds.wrapper)
	f.BuildUsers, err = f.builds.users()
	return err
}

// dockerVariable names the environment variable for the engine. It is not
// Docker's own, which is set for other reasons.
const dockerVariable = "SLIPWAY_DOCKER_HOST"

// databaseVariable names the environment variable for what has a password in it.
const databaseVariable = "SLIPWAY_DATABASE_URL"

func addDatabaseFlag(c *cobra.Command, url *string) {
	c.Flags().StringVar(url, "database-url", "", "PostgreSQL database, postgres://user@host:port/name (default: a file in the data folder).\n"+
		"Everyone on the machine can see arguments: give one with a password as "+databaseVariable)
}

// databaseURL is the flag's value or, without one, the environment's. It is no
// default of the flag: help would print it.
func databaseURL(flag string) string { return cmp.Or(flag, os.Getenv(databaseVariable)) }

func validPorts(r slipway.PortRange) bool { return 0 < r.First && r.First <= r.Last && r.Last < 1<<16 }

func (f serverFlags) logger() *slog.Logger {
	options := &slog.HandlerOptions{}
	if f.debug {
		options.Level = slog.LevelDebug
	}
	if f.json {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	options.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			a.Value = slog.StringValue(a.Value.Time().UTC().Format(time.RFC3339Nano))
		}
		return a
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}
