package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway/gateway/accesslog"
	"github.com/slipwayhq/slipway/internal/peer"
)

// gatewayFlags say what lies before the server, and what it tells of requests.
type gatewayFlags struct {
	accessLog string
	proxies   []string
}

func (f *gatewayFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.accessLog, "access-log", "off", "`file` that gets a line for each request to an agent, - for standard output, or off.\n"+
		"With a file, SIGHUP does not end the server but has it opened anew, as logrotate needs it")
	flags.StringSliceVar(&f.proxies, "trusted-proxies", nil, "`addresses` and networks of proxies before this server, whose X-Forwarded-For is believed, such as 10.0.0.0/8")
}

func (f gatewayFlags) trusted() (peer.Proxies, error) {
	p, err := peer.Parse(f.proxies)
	if err != nil {
		return nil, usagef("--trusted-proxies: %v", err)
	}
	return p, nil
}

// openLog opens the access log, nil for none. What it returns beside it ends the
// log.
func (f gatewayFlags) openLog(ctx context.Context, out io.Writer, logger *slog.Logger) (*accesslog.Log, func(), error) {
	switch f.accessLog {
	case "off":
		return nil, func() {}, nil
	case "-":
		l := accesslog.New(out, logger)
		return l, func() { _ = l.Close() }, nil
	}
	l, err := accesslog.Open(f.accessLog, logger)
	if err != nil {
		return nil, nil, err
	}
	signal.Reset(syscall.SIGHUP) // it ends the server no more
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	ctx, stop := context.WithCancel(ctx)
	go reopenAt(ctx, hangup, l)
	return l, func() {
		signal.Stop(hangup)
		stop()
		_ = l.Close() // lines that could not be written were told of
	}, nil
}

func reopenAt(ctx context.Context, hangup <-chan os.Signal, l *accesslog.Log) {
	for {
		select {
		case <-hangup:
			l.Reopen()
		case <-ctx.Done():
			return
		}
	}
}
