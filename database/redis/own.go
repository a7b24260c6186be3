package redis

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"

	client "github.com/redis/go-redis/v9"

	"github.com/slipwayhq/slipway"
)

// OwnConfig is how servers are run that each have one deployment.
type OwnConfig struct {
	Programs Finder
	// Bridge tells where containers reach this machine; nil if there are none.
	Bridge func(ctx context.Context) (host string, err error)
}

// Own says how a Redis is run that a deployment has for itself. It runs nothing:
// a driver does, as it runs agents.
type Own struct{ config OwnConfig }

// NewOwn looks for nothing yet.
func NewOwn(c OwnConfig) *Own { return &Own{c} }

// Ready finds or brings the program, or says why agents, which may be contained,
// can have no server.
func (o *Own) Ready(ctx context.Context, contained bool) error {
	if contained && o.config.Bridge == nil {
		return errNotReached
	}
	_, err := o.config.Programs.Find(ctx)
	return err
}

const loopback = "127.0.0.1"

// start gives the server its password, which the arguments of a program show to
// everybody and a file would keep: what it reads from its input is neither. The
// shell makes way for it.
const start = `exec "$0" "$@" --dir "$SLIPWAY_KEEP_DIR" - <<END
requirepass $` + varPassword + `
END`

const varPassword = "SLIPWAY_REDIS_PASSWORD"

// settings keep each change for a second at most from the disk, refuse what does
// not fit rather than forget what is queued, and leave the marks of the process
// where the driver looks for them. What is kept are commands alone, not an image
// of the memory: so every other version reads it, and the program may be another
// one tomorrow.
var settings = []string{
	"--appendonly", "yes", "--appendfsync", "everysec", "--aof-use-rdb-preamble", "no",
	"--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "16mb", "--save", "",
	"--maxmemory-policy", "noeviction", "--set-proc-title", "no", "--daemonize", "no",
}

const (
	// usualMemory is how many MiB a server may hold that is not told otherwise.
	usualMemory = 128
	// processes is for threads, and for the one that writes the file anew.
	processes = 64
)

// Workload is an attempt of a server, for a driver. Beside what it may hold there
// is room for as much again: a file is written anew by a copy of the process.
func (o *Own) Workload(ctx context.Context, s slipway.RedisServer) (slipway.Workload, error) {
	p, err := o.config.Programs.Find(ctx)
	if err != nil {
		return slipway.Workload{}, err
	}
	memory, limits := usualMemory, slipway.Limits{Processes: processes}
	if s.Share.MemoryLimitMB != nil {
		memory = *s.Share.MemoryLimitMB
	}
	limits.MemoryMB = 2*memory + 64
	if s.Share.CPULimit != nil {
		limits.CPU = *s.Share.CPULimit
	}
	args := []string{"/bin/sh", "-c", start, p.Path, "--port", strconv.Itoa(s.Port), "--bind", loopback}
	if host, err := o.bridge(ctx); err == nil {
		args = append(args, "-"+host) // which may be gone by then
	}
	w := slipway.Workload{
		Instance: s.Deployment.Redis(), Deployment: s.Deployment, Port: s.Port, Limits: limits, Keeps: true,
		Args: append(append(args, "--maxmemory", strconv.Itoa(memory)+"mb"), settings...),
		Env:  []slipway.EnvVar{{Name: varPassword, Value: s.Password}},
		Read: []string{p.Path},
	}
	if p.Home != "" {
		w.Read = []string{p.Home}
	}
	return w, nil
}

// URI is where agents, which may be contained, find a server.
func (o *Own) URI(ctx context.Context, s slipway.RedisServer, contained bool) (string, error) {
	host, err := o.host(ctx, contained)
	if err != nil {
		return "", err
	}
	u := url.URL{Scheme: "redis", User: url.UserPassword("default", s.Password), Host: net.JoinHostPort(host, strconv.Itoa(s.Port)), Path: "/0"}
	return u.String(), nil
}

func (o *Own) host(ctx context.Context, contained bool) (string, error) {
	if contained {
		return o.bridge(ctx)
	}
	return loopback, nil
}

// bridge is where containers reach this machine.
func (o *Own) bridge(ctx context.Context) (string, error) {
	if o.config.Bridge == nil {
		return "", errNotReached
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return o.config.Bridge(ctx)
}

var errNotReached = &slipway.Failure{
	Phase: slipway.PhaseDeploy, Step: "database", Code: "redis_not_reached",
	Message: "The agent runs in a container, and its Redis listens where only this machine reaches it.",
	Hint:    "Start the server with the container engine that it is to use (--docker-host).",
}

// Ping says whether a server answers where agents find it, and has read all that it
// kept.
func (o *Own) Ping(ctx context.Context, s slipway.RedisServer, contained bool) error {
	host, err := o.host(ctx, contained)
	if err != nil {
		return err
	}
	at := net.JoinHostPort(host, strconv.Itoa(s.Port))
	c := client.NewClient(&client.Options{
		Addr: at, Password: s.Password, ClientName: "slipway", PoolSize: 1, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: within, ReadTimeout: within, WriteTimeout: within,
	})
	defer c.Close()
	if err := c.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("talk to the Redis at %s: %w", at, err)
	}
	return nil
}
