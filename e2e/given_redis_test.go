package e2e_test

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/redistest"
)

// A deployment has a number on a Redis that somebody else runs, and that others use:
// it keeps that over revisions, and with it no key of its own is left, and none of
// theirs is touched.
func TestAGivenRedis(t *testing.T) {
	t.Parallel()
	e, registry := dockertest.Shared(t), dockertest.NewRegistry(t)
	address := redistest.StartAt(t, gateway(t, e))
	others := redis.NewClient(redisOptions(t, address+"/1"))
	defer others.Close()
	must(t, others.Set(t.Context(), "theirs", "1", 0).Err())

	s := onEngine(t, e, "--agent-redis-url", address)
	d := s.image("queued", visitor(t, registry))
	d.serves()
	if got := d.asked("/jobs"); got != "1" {
		t.Errorf("it has %s jobs", got)
	}
	if got := d.asked("/value?name=REDIS_URI"); got != address+"/2" {
		t.Errorf("it is told %s", got)
	}
	_, err := d.Redeploy(t.Context(), d.id, d.newest(d.id).ID)
	must(t, err)
	d.serves()
	if got := d.asked("/jobs"); got != "2" {
		t.Errorf("in the next revision it has %s jobs", got)
	}
	s.says(t, []string{"redis", "2"}, "delete", "queued", "--dry-run")
	s.says(t, nil, "delete", "queued", "--force")
	if got := redisKeys(t, address); got != "db0:1 db1:1 db2:2" {
		t.Errorf("kept aside are %s", got)
	}
	d.purge()
	if got := redisKeys(t, address); got != "db1:1" {
		t.Errorf("after the deletion there are %s", got)
	}
}

// redisKeys says how many keys a Redis has under each number.
func redisKeys(t *testing.T, address string) string {
	t.Helper()
	c := redis.NewClient(redisOptions(t, address))
	defer c.Close()
	told, err := c.Info(t.Context(), "keyspace").Result()
	must(t, err)
	var numbers []string
	for line := range strings.Lines(told) {
		if number, rest, ok := strings.Cut(line, ":keys="); ok {
			count, _, _ := strings.Cut(rest, ",")
			numbers = append(numbers, number+":"+count)
		}
	}
	return strings.Join(numbers, " ")
}

func redisOptions(t *testing.T, address string) *redis.Options {
	t.Helper()
	options, err := redis.ParseURL(address)
	must(t, err)
	return options
}
