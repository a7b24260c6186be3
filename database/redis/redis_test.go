package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/redis/go-redis/v9"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database/redis"
	"github.com/slipwayhq/slipway/internal/redistest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, address, owner string) *redis.Shared {
	t.Helper()
	s, err := redis.New(redis.Config{Address: address, Owner: owner})
	must(t, err)
	return s
}

// stopPatience is for one that writes what it has.
const stopPatience = 30 * time.Second

func newID() slipway.DeploymentID { return slipway.NewID[slipway.DeploymentID](time.Now()) }

// connect signs in as an agent would.
func connect(t testing.TB, uri string) *client.Client {
	t.Helper()
	options, err := client.ParseURL(uri)
	must(t, err)
	c := client.NewClient(options)
	t.Cleanup(func() { c.Close() })
	return c
}

func size(t *testing.T, c *client.Client) int64 {
	t.Helper()
	n, err := c.DBSize(context.Background()).Result()
	must(t, err)
	return n
}

// A number is given, kept, found again and emptied; its neighbours stay as they
// are.
func TestLife(t *testing.T) {
	ctx := t.Context()
	address := redistest.Start(t)
	s := open(t, address, "here")
	a, b := newID(), newID()
	free, err := s.Free(ctx)
	must(t, err)
	if len(free) != 15 || free[0] != 1 {
		t.Fatalf("free at first: %v", free)
	}
	one, err := s.Provide(ctx, a, 3, false)
	must(t, err)
	again, err := s.Provide(ctx, a, 3, false)
	if err != nil || again != one {
		t.Errorf("Provide again = %q, %v", again, err)
	}
	other, err := s.Provide(ctx, b, 4, false)
	must(t, err)
	agent, neighbour := connect(t, one), connect(t, other)
	must(t, agent.Set(ctx, "job", "1", 0).Err())
	must(t, neighbour.Set(ctx, "job", "2", 0).Err())
	if got := agent.Get(ctx, "job").Val(); got != "1" {
		t.Errorf("an agent reads %q", got)
	}
	if free, err = s.Free(ctx); err != nil || len(free) != 13 || slices.Contains(free, 3) || slices.Contains(free, 4) {
		t.Errorf("free afterwards: %v, %v", free, err)
	}
	things, err := s.Remains(ctx, a)
	if err != nil || len(things) != 1 || things[0].Kind != slipway.ItemRedis || things[0].Ref != "3" || things[0].Deployment != a {
		t.Errorf("Remains = %+v, %v", things, err)
	}
	if all, err := s.Remains(ctx, ""); err != nil || len(all) != 2 {
		t.Errorf("Remains of all = %+v, %v", all, err)
	}
	for range 2 {
		must(t, s.Purge(ctx, a, 3))
	}
	if things, err = s.Remains(ctx, a); err != nil || len(things) > 0 || size(t, agent) != 0 {
		t.Errorf("left: %+v, %v, %d keys", things, err, size(t, agent))
	}
	if size(t, neighbour) != 2 {
		t.Errorf("the neighbour has %d keys", size(t, neighbour))
	}
}

// What another installation has is not found, not given and not removed.
func TestStrangers(t *testing.T) {
	ctx := t.Context()
	address := redistest.Start(t)
	here, there := open(t, address, "here"), open(t, address, "there")
	d := newID()
	uri, err := there.Provide(ctx, d, 5, false)
	must(t, err)
	stranger := program(t, address, 6)
	must(t, stranger.LPush(ctx, "slipway:deployment", "a list of that name").Err())
	free, err := here.Free(ctx)
	if err != nil || slices.Contains(free, 5) || slices.Contains(free, 6) {
		t.Errorf("free: %v, %v", free, err)
	}
	_, err = here.Provide(ctx, newID(), 5, false)
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "redis_taken" || f.Hint == "" {
		t.Errorf("Provide of another's = %v", err)
	}
	must(t, here.Purge(ctx, newID(), 5))
	if n := size(t, connect(t, uri)); n != 1 {
		t.Errorf("the other's has %d keys", n)
	}
	if things, err := here.Remains(ctx, ""); err != nil || len(things) > 0 {
		t.Errorf("Remains = %+v, %v", things, err)
	}
}

// An agent that emptied its own number has it still.
func TestFlushed(t *testing.T) {
	ctx := t.Context()
	s := open(t, redistest.Start(t), "here")
	d := newID()
	uri, err := s.Provide(ctx, d, 1, false)
	must(t, err)
	agent := connect(t, uri)
	must(t, agent.FlushDB(ctx).Err())
	must(t, agent.Set(ctx, "job", "1", 0).Err())
	_, err = s.Provide(ctx, d, 1, false)
	must(t, err)
	if things, err := s.Remains(ctx, d); err != nil || len(things) != 1 {
		t.Errorf("Remains = %+v, %v", things, err)
	}
	must(t, agent.FlushDB(ctx).Err())
	must(t, agent.Set(ctx, "job", "1", 0).Err())
	must(t, s.Purge(ctx, d, 1))
	if n := size(t, agent); n != 0 {
		t.Errorf("%d keys are left", n)
	}
}

// program connects to a number of a server as another program would.
func program(t *testing.T, address string, number int) *client.Client {
	t.Helper()
	return connect(t, fmt.Sprintf("%s?db=%d", address, number))
}

func wantTaken(t *testing.T, err error) {
	t.Helper()
	if f, ok := errors.AsType[*slipway.Failure](err); !ok || f.Code != "redis_taken" || f.Hint == "" {
		t.Errorf("Provide = %v, want that it is taken", err)
	}
}

// A number that was written down for a deployment, and that another program was
// faster to use, or uses since the server has lost what it kept, is neither shared
// nor emptied. Empty, it is given.
func TestUnmarked(t *testing.T) {
	ctx := t.Context()
	address := redistest.Start(t)
	s, d := open(t, address, "here"), newID()
	other := program(t, address, 3)
	for _, before := range []func(){
		func() {},
		func() {
			_, err := s.Provide(ctx, d, 3, false)
			must(t, err)
			must(t, other.FlushAll(ctx).Err())
		},
	} {
		before()
		must(t, other.Set(ctx, "theirs", "1", 0).Err())
		_, err := s.Provide(ctx, d, 3, false)
		wantTaken(t, err)
		if err := s.Purge(ctx, d, 3); !errors.Is(err, slipway.ErrUnmarked) {
			t.Errorf("Purge = %v", err)
		}
		if n := size(t, other); n != 1 {
			t.Errorf("the other program has %d keys", n)
		}
		if things, err := s.Remains(ctx, ""); err != nil || len(things) > 0 {
			t.Errorf("Remains = %+v, %v", things, err)
		}
		must(t, other.Del(ctx, "theirs").Err())
		must(t, s.Purge(ctx, d, 3))
	}
	_, err := s.Provide(ctx, d, 3, false)
	must(t, err)
}

// A number is a deployment's by either of its two marks, of which those of before
// have the one inside alone; and of what is purged no key is left.
func TestEitherMark(t *testing.T) {
	ctx := t.Context()
	address := redistest.Start(t)
	s := open(t, address, "here")
	for number, losesOne := range map[int]func(){
		1: func() { must(t, program(t, address, 1).FlushDB(ctx).Err()) },
		2: func() { must(t, program(t, address, 0).FlushDB(ctx).Err()) },
	} {
		d := newID()
		uri, err := s.Provide(ctx, d, number, false)
		must(t, err)
		agent := connect(t, uri)
		for range 2 {
			losesOne()
			if free, err := s.Free(ctx); err != nil || slices.Contains(free, number) {
				t.Errorf("free: %v, %v", free, err)
			}
			must(t, agent.Set(ctx, "job", "1", 0).Err())
			if things, err := s.Remains(ctx, d); err != nil || len(things) != 1 {
				t.Errorf("number %d remains as %+v, %v", number, things, err)
			}
			_, err = s.Provide(ctx, newID(), number, false)
			wantTaken(t, err)
			_, err = s.Provide(ctx, d, number, false)
			must(t, err)
		}
		losesOne()
		must(t, s.Purge(ctx, d, number))
	}
	if left := program(t, address, 0).Info(ctx, "keyspace").Val(); strings.Contains(left, "db") {
		t.Errorf("left: %s", left)
	}
}

// What anybody wrote into number 0 does not make it a deployment's.
func TestNumberZero(t *testing.T) {
	ctx := t.Context()
	address := redistest.Start(t)
	s := open(t, address, "here")
	label := "here/" + string(newID())
	zero := program(t, address, 0)
	must(t, zero.Set(ctx, "slipway:deployment", label, 0).Err())
	must(t, zero.HSet(ctx, "slipway:numbers", "0", label, "-1", label, "x", label).Err())
	if things, err := s.Remains(ctx, ""); err != nil || len(things) > 0 {
		t.Errorf("Remains = %+v, %v", things, err)
	}
}

// Each agent is told an address that it can use, and of a container that there is
// none.
func TestAddresses(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		address, contained string
		in                 bool
		want               string
	}{
		{"redis://u:p%40ss@db.example:7000/2", "", false, "redis://u:p%40ss@db.example:7000/9"},
		{"redis://u:p%40ss@db.example:7000/2", "", true, "redis://u:p%40ss@db.example:7000/9"},
		{"redis://localhost:6379", "172.17.0.1:6379", true, "redis://172.17.0.1:6379/9"},
		{"redis://127.0.0.1:6379", "", true, "redis_not_reached"},
		{"unix:///run/redis.sock", "", true, "redis_not_reached"},
	} {
		s, err := redis.New(redis.Config{Address: c.address, Contained: c.contained, Owner: "here"})
		must(t, err)
		stop, cancel := context.WithCancel(ctx)
		cancel() // nobody is asked
		uri, err := s.Provide(stop, newID(), 9, c.in)
		if f, ok := errors.AsType[*slipway.Failure](err); ok {
			uri = f.Code
		}
		if uri != c.want {
			t.Errorf("%s, contained %t: %q, want %q", c.address, c.in, uri, c.want)
		}
	}
}

// What can not be reached says so, and nothing says a password.
func TestErrors(t *testing.T) {
	for _, address := range []string{"postgres://u:s3cret@h", "redis://u:s3cret@[h", "redis://u:s3cret%zz@h", ""} {
		if _, err := redis.New(redis.Config{Address: address}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("New(%q) = %v", address, err)
		}
	}
	if _, err := redis.New(redis.Config{Address: "redis://localhost", Contained: "host"}); err == nil || !strings.Contains(err.Error(), "host:port") {
		t.Errorf("New = %v", err)
	}
	s := open(t, "redis://:s3cret@127.0.0.1:1", "here")
	_, err := s.Free(t.Context())
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("Free = %v", err)
	}
	u := url.URL{Scheme: "unix", Path: strings.TrimPrefix(redistest.Start(t), "unix://"), User: url.UserPassword("nobody", "s3cret")}
	_, err = open(t, u.String(), "here").Free(t.Context())
	if err == nil || strings.Contains(fmt.Sprint(err), "s3cret") {
		t.Errorf("Free with a wrong password = %v", err)
	}
}
