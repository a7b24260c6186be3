// Package redis gives deployments Redis: each a server of its own, which a driver
// runs ([Own]), or a number on one that somebody else runs and that they share
// ([Shared]).
//
// A number keeps deployments out of each other's way, and is no boundary: who has
// the address of one can SELECT another. Where agents do not trust each other, each
// is to have a Redis of its own (REDIS_URI_CUSTOM).
//
// Number 0, where everybody begins, is never given. A number is marked as a
// deployment's, so that what is left over is known, in two places: in number 0,
// which an agent that empties its own number does not reach, and in the number
// itself, which others that empty number 0 do not. One of the two is enough. What has
// neither is not ours: it is not given while it holds keys, and never emptied.
package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	client "github.com/redis/go-redis/v9"

	"github.com/slipwayhq/slipway"
)

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

// Where names the server for good, and for people.
func (s *Shared) Where() string { return s.options.Addr }

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

// Free lists the numbers under which nothing is kept, and which nobody has.
func (s *Shared) Free(ctx context.Context) (free []int, err error) {
	err = s.session(ctx, func(c *client.Conn) error {
		used, err := usedNumbers(ctx, c)
		if err != nil {
			return err
		}
		marked, err := allMarked(ctx, c, used)
		for n := 1; n < numbers(ctx, c); n++ {
			if marked[n] == "" && !slices.Contains(used, n) {
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

// usedNumbers lists those under which there are keys, but for 0.
func usedNumbers(ctx context.Context, c *client.Conn) (used []int, err error) {
	told, err := c.Info(ctx, "keyspace").Result()
	for line := range strings.Lines(told) {
		if rest, ok := strings.CutPrefix(line, "db"); ok {
			number, _, _ := strings.Cut(rest, ":")
			if n, err := strconv.Atoi(number); err == nil && n > 0 {
				used = append(used, n)
			}
		}
	}
	return used, err
}

// Provide marks a number as a deployment's and returns its address for agents,
// which may be contained. What holds keys already, and is not marked, is another's.
func (s *Shared) Provide(ctx context.Context, d slipway.DeploymentID, number int, contained bool) (uri string, err error) {
	if uri, err = s.uri(number, contained); err != nil {
		return "", err
	}
	return uri, s.session(ctx, func(c *client.Conn) error {
		whose, err := holder(ctx, c, number)
		if err == nil && whose == "" {
			err = s.refuseUsed(ctx, c, number)
		}
		if err == nil && (whose == "" || whose == s.label(d)) {
			whose, err = s.mark(ctx, c, d, number)
		}
		if err == nil && whose != s.label(d) {
			err = s.taken(number, whose)
		}
		return err
	})
}

// refuseUsed refuses a number that holds keys, and that nobody has marked.
func (s *Shared) refuseUsed(ctx context.Context, c *client.Conn, number int) error {
	keys, err := size(ctx, c, number)
	if err != nil || keys == 0 {
		return err
	}
	return &slipway.Failure{
		Phase: slipway.PhaseDeploy, Step: "database", Code: "redis_taken",
		Message: fmt.Sprintf("Database %d of the Redis at %s has %d keys, and no mark of Slipway's: somebody else uses it, or that Redis has lost what it kept.", number, s.options.Addr, keys),
		Hint:    fmt.Sprintf("If it is not the Redis that it was, start Slipway with the address of that. If nobody needs the keys, remove them (redis-cli -n %d FLUSHDB); else name another Redis for the deployment by REDIS_URI_CUSTOM. Then redeploy.", number),
	}
}

func (s *Shared) taken(number int, whose string) error {
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
// has marked as its own stays, and so does what nobody has marked: that is
// slipway.ErrUnmarked.
func (s *Shared) Purge(ctx context.Context, d slipway.DeploymentID, number int) error {
	return s.session(ctx, func(c *client.Conn) error {
		whose, err := holder(ctx, c, number)
		if err == nil && whose == "" {
			return s.leaveUsed(ctx, c, number)
		}
		if err != nil || whose != s.label(d) {
			return err
		}
		if whose, err := s.mark(ctx, c, d, number); err != nil || whose != s.label(d) {
			return err
		}
		if err := c.FlushDB(ctx).Err(); err != nil {
			return err
		}
		switch left, err := size(ctx, c, number); {
		case err != nil:
			return err
		case left > 0:
			return fmt.Errorf("database %d has %d keys again: somebody else writes them", number, left)
		}
		return unmark(ctx, c, number)
	})
}

// leaveUsed says of a number that nobody has marked whether there is something.
func (s *Shared) leaveUsed(ctx context.Context, c *client.Conn, number int) error {
	keys, err := size(ctx, c, number)
	if err != nil || keys == 0 {
		return err
	}
	return fmt.Errorf("database %d has %d keys: %w. The Redis has lost what it kept, or is another, so they may be anybody's. If nobody needs them, remove them: redis-cli -n %d FLUSHDB. If somebody does, say so: redis-cli -n 0 HSET %s %d others",
		number, keys, slipway.ErrUnmarked, number, marks, number)
}

// Remains lists the numbers of a deployment, of all of this installation if it is
// "".
func (s *Shared) Remains(ctx context.Context, d slipway.DeploymentID) (things []slipway.Thing, err error) {
	err = s.session(ctx, func(c *client.Conn) error {
		used, err := usedNumbers(ctx, c)
		if err != nil {
			return err
		}
		all, err := allMarked(ctx, c, used)
		for _, number := range slices.Sorted(maps.Keys(all)) {
			id, ours := strings.CutPrefix(all[number], s.config.Owner+"/")
			if of := slipway.DeploymentID(id); ours && slipway.IsID(id) && (d == "" || d == of) {
				things = append(things, slipway.Thing{
					Kind: slipway.ItemRedis, Ref: strconv.Itoa(number), Deployment: of,
					What: fmt.Sprintf("database %d of the Redis at %s", number, s.options.Addr),
				})
			}
		}
		return err
	})
	return things, err
}
