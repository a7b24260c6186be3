package main

import (
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/trace/remote"
)

// tracesVariable names the environment variable for the key of another
// installation, to which agents trace.
const tracesVariable = "SLIPWAY_TRACES_API_KEY"

// tracesFlags say where agents trace to.
type tracesFlags struct {
	traces   string
	endpoint string
}

func (f *tracesFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.traces, "traces", "on", "whether agents are told to trace: on or off")
	flags.StringVar(&f.endpoint, "traces-endpoint", "", "`URL` of another installation that agents trace to, such as https://traces.example.com/api/v1,\n"+
		"with the key in "+tracesVariable+" (default: this server)")
}

// set fills in what the flags and the environment say.
func (f tracesFlags) set(t *daemon.Traces) error {
	t.Endpoint = strings.TrimRight(f.endpoint, "/")
	switch f.traces {
	case "on":
	case "off":
		t.Off = true
	default:
		return usagef("--traces %q: want on or off", f.traces)
	}
	if t.Endpoint == "" {
		return nil
	}
	t.Key = os.Getenv(tracesVariable)
	switch err := remote.CheckEndpoint(t.Endpoint); {
	case err != nil:
		return usagef("--traces-endpoint: %v", err)
	case t.Off:
		return usagef("--traces-endpoint says where agents trace to, and --traces off that they do not: leave one of them out")
	case t.Key == "":
		return usagef("--traces-endpoint needs a key of that installation: set %s", tracesVariable)
	}
	return nil
}
