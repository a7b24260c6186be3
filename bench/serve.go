package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"syscall"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/driver/fake"
	"github.com/slipwayhq/slipway/gateway/accesslog"
	"github.com/slipwayhq/slipway/internal/daemon"
)

// serveCommand makes this binary a server that knows stand-ins; it is for the
// benchmark's own children.
const serveCommand = "serve-stand-ins"

// agentPorts are for agents of the benchmark. They are not the usual ones, so
// that a server at work on the same machine is not met.
var agentPorts = slipway.PortRange{First: 14000, Last: 18999}

// serve is 'slipway server' with a kind of the benchmark's own, and with the
// driver in memory where no program is given.
func serve(args []string) error {
	flags := flag.NewFlagSet(serveCommand, flag.ExitOnError)
	config := daemon.Config{Ports: agentPorts, Builds: 2, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flags.StringVar(&config.Data, "data", "", "folder")
	flags.StringVar(&config.Listen, "listen", "", "address")
	program := flags.String("stand-in", "", "program of the agents")
	upstream := flags.String("upstream", "", "address that stands for every agent")
	profiles := flags.String("profiles", "", "folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config.Kinds = []func(string, string) kind.Kind{func(string, string) kind.Kind { return standIn{cmp.Or(*program, "/none")} }}
	if *program == "" {
		address, err := *upstream, error(nil)
		if address == "" {
			address, err = answerAll()
		}
		if err != nil {
			return err
		}
		config.OpenDriver = func(string) (slipway.Driver, error) {
			return fake.Open(func(slipway.Workload) fake.Behaviour { return fake.Behaviour{Address: address} }), nil
		}
	}
	if *upstream != "" {
		log, err := accesslog.Open(filepath.Join(config.Data, "access.log"), config.Logger)
		if err != nil {
			return err
		}
		defer log.Close()
		config.AccessLog = log
	}
	return serveUntilTold(config, *profiles)
}

func serveUntilTold(config daemon.Config, profiles string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	profiled, err := profile(profiles)
	if err != nil {
		return err
	}
	daemon.CollectSeldom() // as the command does
	s, err := daemon.Start(ctx, config)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return errors.Join(profiled(), s.Stop())
	case err := <-s.Failed():
		return err
	}
}

// profile begins to write profiles; what it returns ends that.
func profile(folder string) (end func() error, err error) {
	if folder == "" {
		return func() error { return nil }, nil
	}
	name := func(what string) string { return filepath.Join(folder, fmt.Sprintf("%s-%d.pprof", what, os.Getpid())) }
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	cpu, err := os.Create(name("cpu"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() error {
		pprof.StopCPUProfile()
		runtime.GC()
		heap, err := os.Create(name("heap"))
		if err != nil {
			return err
		}
		return errors.Join(pprof.WriteHeapProfile(heap), heap.Close(), cpu.Close())
	}, nil
}

// answerAll serves what stands for all instances of the driver in memory.
func answerAll() (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	return l.Addr().String(), nil
}

// standIn is a kind of agent that needs no build and serves within
// milliseconds of its start, so that what is left to be measured is ours. Two
// instances may run at once.
type standIn struct{ program string }

func (standIn) Agent() slipway.AgentKind {
	return slipway.AgentKind{Name: "stand-in", Probe: "/ok", Start: startLimit, Drain: startLimit}
}

func (standIn) Fingerprint() string { return "stand-in" }

func (standIn) Accepts(c appconfig.Config, _ slipway.AgentServer) bool {
	return c.Raw["stand_in"] != nil
}

func (standIn) Prepare(context.Context, kind.App, io.Writer) (map[string]string, error) {
	return map[string]string{}, nil
}

func (s standIn) Launch(context.Context, kind.Bundle) (slipway.Launch, error) {
	return slipway.Launch{Args: []string{s.program}, Socket: true}, nil
}
