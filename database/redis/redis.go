// Package redis gives deployments Redis: each a server of its own, which a driver
// runs ([Own]), or a number on one that somebody else runs and that they share
// ([Shared]).
//
// A number keeps deployments out of each other's way, and is no boundary: who has
// the address of one can SELECT another. Where agents do not trust each other, each
// is to have a Redis of its own (REDIS_URI_CUSTOM).
//
// A number is marked by a key that names the installation and the deployment, so
// that what is left over is known. Number 0, where everybody begins, is never
// given.
package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	client "github.com/redis/go-redis/v9"

	"github.com/slipwayhq/slipway"
)

// mark is the key that says whose a number is.
const mark = "slipway:deployment"

// usualNumbers is how many a Redis has that is not told otherwise.
const usualNumbers = 16

// init has the library be quiet: what it would log it returns, too.
func init() { client.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// within bounds what one command may take.
const within = 5 * time.Second

// Config is how a Redis is reached.
type Config struct {
	Address   string // redis://user:password@host:port, rediss:// or unix://
	Contained string // host:port by which containers reach it, "" for the same
	Owner     string // the installation
}

// Shared is a Redis that deployments share.
type Shared struct {
	config  Config
	address *url.URL
	options *client.Options
}

var errAddress = errors.New("the address of the Redis for agents can not be read: want redis://user:password@host:port, with what is special in the password written as %XX")

// New reaches for nothing yet. No error holds the password.
func New(c Config) (*Shared, error) {
	u, err := url.Parse(c.Address)
	if err != nil {
		return nil, errAddress
	}
	options, err := client.ParseURL(c.Address)
	if err != nil {
		return nil, errAddress // what the library says may quote it
	}
	if _, _, err := net.SplitHostPort(c.Contained); c.Contained != "" && err != nil {
		return nil, fmt.Errorf("%q is no address for containers: want host:port of the Redis", c.Contained)
	}
	options.PoolSize, options.DialTimeout, options.ReadTimeout, options.WriteTimeout = 1, within, within, within
	options.ClientName, options.MaxRetries, options.DialerRetries = "slipway", -1, 1 // whoever asks does so again
	return &Shared{c, u, options}, nil
}

// session has fn talk to the server. The connection is closed afterwards: another
// would find a number selected that it did not ask for.
func (s *Shared) session(ctx context.Context, fn func(*client.Conn) error) error {
	c := client.NewClient(s.options)
	defer c.Close()
	conn := c.Conn()
	defer conn.Close()
	if err := fn(conn); err != nil {
		return fmt.Errorf("talk to the Redis at %s: %w", s.options.Addr, err)
	}
	return nil
}

// Free lists the numbers under which nothing is kept.
func (s *Shared) Free(ctx context.Context) (free []int, err error) {
	err = s.session(ctx, func(c *client.Conn) error {
		used, err := usedNumbers(ctx, c)
		for n := 1; n < numbers(ctx, c); n++ {
			if !slices.Contains(used, n) {
				free = append(free, n)
			}
		}
		return err
	})
	return free, err
}

// numbers is how many a server has. One that does not tell has the usual number.
func numbers(ctx context.Context, c *client.Conn) int {
	told, err := c.ConfigGet(ctx, "databases").Result()
	if n, bad := strconv.Atoi(told["databases"]); err == nil && bad == nil {
		return n
	}
	return usualNumbers
}

// usedNumbers lists those under which there are keys.
func usedNumbers(ctx context.Context, c *client.Conn) (used []int, err error) {
	told, err := c.Info(ctx, "keyspace").Result()
	for line := range strings.Lines(told) {
		if rest, ok := strings.CutPrefix(line, "db"); ok {
			number, _, _ := strings.Cut(rest, ":")
			if n, err := strconv.Atoi(number); err == nil {
				used = append(used, n)
			}
		}
	}
	return used, err
}

// Provide marks a number as a deployment's and returns its address for agents,
// which may be contained.
func (s *Shared) Provide(ctx context.Context, d slipway.DeploymentID, number int, contained bool) (uri string, err error) {
	if uri, err = s.uri(number, contained); err != nil {
		return "", err
	}
	return uri, s.session(ctx, func(c *client.Conn) error {
		if err := c.Select(ctx, number).Err(); err != nil {
			return err
		}
		if err := c.SetNX(ctx, mark, s.label(d), 0).Err(); err != nil {
			return err
		}
		return s.refuse(ctx, c, d, number)
	})
}

// label is what marks a number.
func (s *Shared) label(d slipway.DeploymentID) string { return s.config.Owner + "/" + string(d) }

// refuse a number that another has.
func (s *Shared) refuse(ctx context.Context, c *client.Conn, d slipway.DeploymentID, number int) error {
	whose, err := c.Get(ctx, mark).Result()
	if errors.Is(err, client.Nil) || err == nil && whose == s.label(d) {
		return nil
	}
	if err != nil {
		return err
	}
	return &slipway.Failure{
		Phase: slipway.PhaseDeploy, Step: "database", Code: "redis_taken",
		Message: fmt.Sprintf("Database %d of the Redis at %s is %s's by now.", number, s.options.Addr, whose),
		Hint:    "Two servers with a copy of one data folder use the same Redis: give one of them another.",
	}
}

// uri is the address of a number.
func (s *Shared) uri(number int, contained bool) (string, error) {
	u := *s.address
	if contained && s.config.Contained != "" {
		u.Host = s.config.Contained
	} else if contained && alone(u) {
		return "", &slipway.Failure{
			Phase: slipway.PhaseDeploy, Step: "database", Code: "redis_not_reached",
			Message: fmt.Sprintf("The agent runs in a container, which does not reach the Redis at %s.", s.options.Addr),
			Hint:    "Start the server with --agent-redis-from-containers HOST:PORT, and let Redis listen there.",
		}
	}
	if u.Scheme != "unix" {
		u.Path = "/" + strconv.Itoa(number)
		return u.String(), nil
	}
	query := u.Query()
	query.Set("db", strconv.Itoa(number))
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// alone says whether only this machine reaches an address.
func alone(u url.URL) bool {
	host := u.Hostname()
	return host == "" || host == "localhost" || net.ParseIP(host).IsLoopback()
}

// Purge removes all keys of a deployment's number, and looks again. What another
// has marked as its own stays.
func (s *Shared) Purge(ctx context.Context, d slipway.DeploymentID, number int) error {
	return s.session(ctx, func(c *client.Conn) error {
		if err := c.Select(ctx, number).Err(); err != nil {
			return err
		}
		var taken *slipway.Failure
		switch err := s.refuse(ctx, c, d, number); {
		case errors.As(err, &taken):
			return nil
		case err != nil:
			return err
		}
		if err := c.FlushDB(ctx).Err(); err != nil {
			return err
		}
		left, err := c.DBSize(ctx).Result()
		if err == nil && left > 0 {
			err = fmt.Errorf("database %d has %d keys again: somebody else writes them", number, left)
		}
		return err
	})
}

// Remains lists the numbers of a deployment, of all of this installation if it is
// "".
func (s *Shared) Remains(ctx context.Context, d slipway.DeploymentID) (things []slipway.Thing, err error) {
	err = s.session(ctx, func(c *client.Conn) error {
		used, err := usedNumbers(ctx, c)
		if err != nil {
			return err
		}
		for _, n := range used {
			t, ours, err := s.thing(ctx, c, n)
			if err != nil {
				return err
			}
			if ours && (d == "" || d == t.Deployment) {
				things = append(things, t)
			}
		}
		return nil
	})
	return things, err
}

// thing is what is kept under a number, if it is this installation's.
func (s *Shared) thing(ctx context.Context, c *client.Conn, number int) (t slipway.Thing, ours bool, err error) {
	if err := c.Select(ctx, number).Err(); err != nil {
		return t, false, err
	}
	whose, err := c.Get(ctx, mark).Result()
	if err != nil { // a stranger's key of that name may be anything but a text
		return t, false, unless(err, client.Nil)
	}
	d, ours := strings.CutPrefix(whose, s.config.Owner+"/")
	return slipway.Thing{
		Kind: slipway.ItemRedis, Ref: strconv.Itoa(number), Deployment: slipway.DeploymentID(d),
		What: fmt.Sprintf("database %d of the Redis at %s", number, s.options.Addr),
	}, ours && slipway.IsID(d), nil
}

// unless is nil for an error that is expected.
func unless(err, expected error) error {
	if errors.Is(err, expected) || strings.HasPrefix(err.Error(), "WRONGTYPE") {
		return nil
	}
	return err
}
