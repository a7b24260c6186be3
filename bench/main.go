// Command bench measures a Slipway and prints a table. What is measured, and
// why in that way, is in docs/benchmarks.md.
//
// It is a program and not a set of testing benchmarks, since what it measures
// are processes: it starts servers, deploys to them over HTTP and looks at them
// from outside. Servers with an agent kind or a driver of its own are children
// that run this same binary.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// measure is one thing to be measured: it returns rows of the table.
type measure struct {
	name string
	run  func(context.Context, *lab) ([]row, error)
}

var measures = []measure{
	{"deploy-real", deployReal},
	{"deploy-standin", deployStandIn},
	{"start", start},
	{"redeploy", redeploy},
	{"handover", handover},
	{"intake", intake},
	{"adopt", adopt},
	{"thousand", thousand},
	{"deletion", deletion},
	{"idle-one", idleOne},
	{"traces", traces},
	{"traces-http", tracesHTTP},
	{"binary", binary},
	{"api", api},
	{"gateway", gateway},
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case serveCommand:
			exit(serve(os.Args[2:]))
		case upstreamCommand:
			exit(serveUpstream(os.Args[2:]))
		case proxyCommand:
			exit(serveProxy(os.Args[2:]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context) error {
	l := &lab{}
	var only string
	var markdown bool
	flag.StringVar(&l.slipway, "slipway", "../bin/slipway", "the binary that is measured")
	flag.StringVar(&only, "only", "", "measure these alone, separated by commas: "+names())
	flag.IntVar(&l.runs, "runs", 0, "how often each is repeated (default: each has its own)")
	flag.StringVar(&l.profiles, "profiles", "", "folder for CPU and heap profiles of the servers of stand-ins")
	flag.BoolVar(&markdown, "markdown", false, "print the table as docs/benchmarks.md has it")
	flag.Parse()
	chosen, err := choose(only)
	if err != nil {
		return err
	}
	if err := l.open(); err != nil {
		return err
	}
	defer l.close()
	rows, err := l.measure(ctx, chosen)
	if markdown {
		return errors.Join(writeMarkdown(os.Stdout, rows), err)
	}
	return errors.Join(writeText(os.Stdout, rows), err)
}

func names() string {
	var all []string
	for _, m := range measures {
		all = append(all, m.name)
	}
	return strings.Join(all, ", ")
}

// choose returns the measures that are named, in their usual order.
func choose(only string) ([]measure, error) {
	if only == "" {
		return measures, nil
	}
	var chosen []measure
	wanted := strings.Split(only, ",")
	for _, m := range measures {
		if i := slices.Index(wanted, m.name); i >= 0 {
			chosen = append(chosen, m)
			wanted = slices.Delete(wanted, i, i+1)
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("nothing is named %q: there are %s", strings.Join(wanted, ","), names())
	}
	return chosen, nil
}

// lab is what measures share.
type lab struct {
	slipway  string // the binary
	runs     int    // 0 for each measure's own
	profiles string // folder, "" for none
	scratch  string // a folder for everything, removed at the end
	servers  []*server
}

func (l *lab) open() (err error) {
	if l.slipway, err = filepath.Abs(l.slipway); err != nil {
		return err
	}
	if _, err := os.Stat(l.slipway); err != nil {
		return fmt.Errorf("%w: make build makes it", err)
	}
	if l.profiles != "" {
		if l.profiles, err = filepath.Abs(l.profiles); err != nil {
			return err
		}
	}
	l.scratch, err = os.MkdirTemp("", "slipway-bench-")
	return err
}

func (l *lab) close() {
	for _, s := range l.servers {
		s.end()
	}
	removeAll(l.scratch)
}

// measure runs one measure after the other; one that fails does not keep the
// others from being taken.
func (l *lab) measure(ctx context.Context, chosen []measure) (rows []row, err error) {
	for _, m := range chosen {
		l.say("%s …", m.name)
		some, e := m.run(ctx, l)
		for i := range some {
			some[i].measure = m.name
		}
		rows = append(rows, some...)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", m.name, e))
		}
		if ctx.Err() != nil {
			return rows, err
		}
	}
	return rows, err
}

func (l *lab) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// times is how often a measure repeats what by itself it would n times.
func (l *lab) times(n int) int {
	if l.runs > 0 {
		return l.runs
	}
	return n
}

// folder makes a new folder in the scratch one.
func (l *lab) folder(name string) (string, error) { return os.MkdirTemp(l.scratch, name+"-") }
