// Command standin stands in for an Agent Server in tests and benchmarks. It
// serves within milliseconds of its exec, drains on SIGTERM, and misbehaves as
// told: by flags from its start on, or by a request while it runs.
//
//	GET  /ok            200
//	GET  /pid           its pid
//	GET  /birth         what tells it from every other process
//	GET  /env           names of its variables, one a line
//	GET  /value?name=   one variable
//	GET  /stream?n=     n server-sent events, every=<duration> apart
//	GET  /wait          answers when it is told to stop
//	POST /print?line=   writes a line to its output
//	POST /fork?own=     starts a child that ignores SIGTERM; own=true: in a
//	                    session of its own; bare=true: without variables and
//	                    the stand-in's output. Answers with its pid
//	POST /exit?code=    ends at once
//	GET  /read?path=    a file or the names in a folder, or 403 with why not
//	POST /write?path=   writes a file, or 403 with why not
//	POST /eat           takes memory until there is none; mb=: so much, and keeps it
//	POST /spin?for=     uses so much processor time
//	POST /flood?bytes=  prints so many, in lines of 64 that begin with their offset
//	POST /fill?bytes=   writes so many into a file in its folder
//	GET  /reach?path=   what a socket answers to GET /ok, or 403 with why nothing
//	POST /breed?n=      starts so many children; answers with how many it could
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/slipwayhq/slipway/internal/address/addresstest"
)

type options struct {
	print       string
	exit        int
	exitAfter   time.Duration
	listenAfter time.Duration
	mute        bool
	shut        bool
	deaf        bool
	linger      bool
	lingerFor   time.Duration
	child       bool
	ask         bool
	port        string
	spare       int
}

func main() {
	var o options
	flag.StringVar(&o.print, "print", "", "write this at the start")
	flag.IntVar(&o.exit, "exit", -1, "end with this code instead of serving")
	flag.DurationVar(&o.exitAfter, "exit-after", 0, "with -exit: serve this long before")
	flag.DurationVar(&o.listenAfter, "listen-after", 0, "wait this long before listening")
	flag.BoolVar(&o.mute, "mute", false, "never listen")
	flag.BoolVar(&o.shut, "shut", false, "listen on the socket with room for one, and let nobody in")
	flag.BoolVar(&o.deaf, "deaf", os.Getenv("STANDIN_DEAF") != "", "go on after SIGTERM")
	flag.BoolVar(&o.linger, "linger", false, "once drained, say that it has yielded, and go on")
	flag.DurationVar(&o.lingerFor, "linger-for", 0, "with -linger: so long, and then end")
	flag.StringVar(&o.port, "port", os.Getenv("PORT"), "listen on this port")
	flag.IntVar(&o.spare, "spare-threads", 0, "have so many threads ready, so that a bound on them stops children only")
	flag.BoolVar(&o.child, "child", false, "be a forked child: only exist, and be deaf")
	flag.BoolVar(&o.ask, "ask", false, "pass on what the stand-in beside it is asked, line by line")
	flag.Parse()
	if o.ask {
		ask()
		return
	}
	os.Exit(run(o))
}

func run(o options) int {
	terms := make(chan os.Signal, 8)
	signal.Notify(terms, syscall.SIGTERM)
	if o.print != "" {
		fmt.Println(o.print) // its signals are caught from here on
	}
	if o.child {
		fmt.Println("child")
		select {}
	}
	if o.exit >= 0 && o.exitAfter == 0 {
		return o.exit
	}
	if o.exit >= 0 {
		time.AfterFunc(o.exitAfter, func() { os.Exit(o.exit) })
	}
	makeThreads(o.spare)
	a := &agent{stopping: make(chan struct{}), control: newControl()}
	server := &http.Server{Handler: a.routes()}
	failed := make(chan error, 1)
	time.AfterFunc(o.listenAfter, func() { failed <- a.start(server, o) })
	for {
		select {
		case err := <-failed:
			if err != nil {
				fmt.Fprintln(os.Stderr, "error:", err)
				return 1
			}
		case <-terms:
			fmt.Println("SIGTERM")
			if !o.deaf {
				return a.drain(server, o)
			}
		}
	}
}

// makeThreads has n threads at once. The runtime keeps them, and needs no new ones
// later: without one it would give up.
func makeThreads(n int) {
	var made sync.WaitGroup
	made.Add(n)
	for range n {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			made.Done()
			made.Wait()
		}()
	}
	made.Wait()
}

// start serves once it may; a mute agent never does.
func (a *agent) start(server *http.Server, o options) error {
	if err := errors.Join(a.control.run(), a.openState()); err != nil || o.mute {
		return err
	}
	a.control.become("serving")
	if o.shut {
		return shut()
	}
	return serve(server, o.port)
}

func serve(server *http.Server, port string) error {
	l, err := listen(port)
	if err != nil {
		return err
	}
	if port != os.Getenv("PORT") {
		fmt.Println("listening elsewhere")
	}
	err = server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		select {} // drain ends us
	}
	return err
}

// listen takes the socket that the variables name, as launchers do, unless it is
// told of another port.
func listen(port string) (net.Listener, error) {
	if path := os.Getenv("SLIPWAY_SOCKET"); path != "" && port == os.Getenv("PORT") {
		return addresstest.Listen(path)
	}
	return net.Listen("tcp", net.JoinHostPort(os.Getenv("HOST"), port))
}

type agent struct {
	stopping chan struct{}
	once     sync.Once
	control  *control
	state    atomic.Pointer[os.File] // while it is open
}

func (a *agent) drain(server *http.Server, o options) int {
	a.once.Do(func() { close(a.stopping) })
	if err := server.Shutdown(context.Background()); err != nil {
		return 1
	}
	fmt.Println("drained")
	if o.linger {
		_ = a.state.Load().Close()
		a.control.yield()
		if o.lingerFor == 0 {
			select {}
		}
		time.Sleep(o.lingerFor)
	}
	return 0
}

func (a *agent) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ok", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /pid", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, os.Getpid()) })
	mux.HandleFunc("GET /birth", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, birth) })
	mux.HandleFunc("GET /env", env)
	mux.HandleFunc("GET /value", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Getenv(r.FormValue("name"))) })
	mux.HandleFunc("GET /stream", stream)
	mux.HandleFunc("GET /wait", a.wait)
	mux.HandleFunc("POST /print", func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.FormValue("line")) })
	mux.HandleFunc("POST /fork", fork)
	mux.HandleFunc("POST /exit", exit)
	mux.HandleFunc("POST /eat", eat)
	mux.HandleFunc("GET /read", read)
	mux.HandleFunc("POST /write", write)
	mux.HandleFunc("POST /spin", spin)
	mux.HandleFunc("POST /flood", flood)
	mux.HandleFunc("POST /fill", fill)
	mux.HandleFunc("POST /breed", breed)
	mux.HandleFunc("GET /reach", reach)
	mux.HandleFunc("POST /talk", talk)
	return mux
}

// birth is random: in a container every agent has the same pid.
var birth = rand.Text()

func env(w http.ResponseWriter, _ *http.Request) {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		fmt.Fprintln(w, name)
	}
}

func stream(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	every, _ := time.ParseDuration(r.FormValue("every"))
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range n {
		fmt.Fprintf(w, "id: %d\ndata: %d\n\n", i, i)
		if http.NewResponseController(w).Flush() != nil || !pause(r.Context(), every) {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *agent) wait(w http.ResponseWriter, r *http.Request) {
	a.control.runs(1)
	defer a.control.runs(-1)
	_ = http.NewResponseController(w).Flush()
	select {
	case <-a.stopping:
		fmt.Fprintln(w, "finished")
	case <-r.Context().Done():
	}
}

// fork answers once the child ignores signals.
func fork(w http.ResponseWriter, r *http.Request) {
	child := exec.Command(os.Args[0], "-child")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: r.FormValue("own") == "true"}
	if r.FormValue("bare") == "true" {
		child.Env = []string{}
	}
	ready, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = ready.Read(make([]byte, 1))
	fmt.Fprint(w, child.Process.Pid)
}

func eat(_ http.ResponseWriter, r *http.Request) {
	most, err := strconv.Atoi(r.FormValue("mb"))
	for n := 0; err != nil || n < most; n++ {
		eaten = append(eaten, bytes.Repeat([]byte{1}, 1<<20))
	}
}

var eaten [][]byte

func exit(_ http.ResponseWriter, r *http.Request) {
	code, _ := strconv.Atoi(r.FormValue("code"))
	os.Exit(code)
}
