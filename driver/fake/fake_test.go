package fake_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/driver/fake"
)

func TestSuite(t *testing.T) {
	drivertest.Run(t, func(*testing.T) drivertest.World {
		d := fake.Open(standin)
		return drivertest.World{
			Open: func(testing.TB) (slipway.Driver, func()) {
				d = d.Reopen()
				return d, func() { d.Close() }
			},
			StandsBy: true,
			Agent:    func(flags ...string) []string { return append([]string{"/standin"}, flags...) },
		}
	})
}

// agent behaves as the suite's stand-in does.
type agent struct {
	mu      sync.Mutex
	written bytes.Buffer
	secrets []slipway.EnvVar
	exit    chan slipway.Exit
}

// standin is the script of the stand-in, told by its flags.
func standin(w slipway.Workload) fake.Behaviour {
	if w.Args[0] != "/standin" {
		return fake.Behaviour{Fail: &slipway.Failure{
			Phase: slipway.PhaseDeploy, Step: "start", Code: "cannot_start", Message: "cannot start " + w.Args[0],
		}}
	}
	a := &agent{exit: make(chan slipway.Exit, 1), secrets: w.Env}
	flags := flag.NewFlagSet("standin", flag.PanicOnError)
	text := flags.String("print", "", "")
	code := flags.Int("exit", -1, "")
	mute := flags.Bool("mute", false, "")
	deaf := flags.Bool("deaf", false, "")
	linger := flags.Bool("linger", false, "")
	flags.Parse(w.Args[1:])
	if *text != "" {
		a.print(*text)
	}
	if *code >= 0 {
		a.end(*code)
	}
	b := fake.Behaviour{Deaf: *deaf, Exit: a.exit, Output: a.output}
	if !*mute {
		b.Handler = a.routes()
	}
	if *linger {
		b.Lingers = time.Hour
	}
	return b
}

func (a *agent) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ok", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /wait", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		fmt.Fprintln(w, "finished")
	})
	mux.HandleFunc("POST /print", func(_ http.ResponseWriter, r *http.Request) { a.print(r.FormValue("line")) })
	mux.HandleFunc("POST /exit", func(_ http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		a.end(code)
		<-r.Context().Done()
	})
	return mux
}

func (a *agent) print(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintln(&a.written, line)
}

func (a *agent) output() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return bytes.Clone(a.written.Bytes())
}

func (a *agent) end(code int) {
	reason := strings.TrimSpace(string(a.output()))
	for _, secret := range a.secrets {
		if !secret.Public && len(secret.Value) > 6 {
			reason = strings.ReplaceAll(reason, secret.Value, "***")
		}
	}
	select {
	case a.exit <- slipway.Exit{Code: code, Reason: reason}:
	default:
	}
}

// TestSharedAddress: many instances behind one server, ready when they are told.
func TestSharedAddress(t *testing.T) {
	ready := make(chan struct{})
	d := fake.Open(func(w slipway.Workload) fake.Behaviour {
		return fake.Behaviour{Address: "127.0.0.1:1", Ready: ready}
	})
	defer d.Close()
	var all []slipway.Observed
	for range 1000 {
		o, err := d.Apply(t.Context(), slipway.Workload{
			Instance:   slipway.NewID[slipway.InstanceID](time.Now()),
			Deployment: slipway.NewID[slipway.DeploymentID](time.Now()),
			Attempt:    1,
		})
		if err != nil || o.Address != "127.0.0.1:1" || o.Phase != slipway.PhaseRunning {
			t.Fatalf("Apply = %+v, %v", o, err)
		}
		all = append(all, o)
	}
	for _, want := range []bool{false, true} {
		for _, o := range all {
			if listens, err := d.Listens(t.Context(), o.Deployment, o.Instance); listens != want || err != nil {
				t.Fatalf("Listens = %v, %v, want %v", listens, err, want)
			}
		}
		if !want {
			close(ready)
		}
	}
	for _, o := range all {
		if err := d.Stop(t.Context(), o.Deployment, o.Instance, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
}
