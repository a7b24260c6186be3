package database

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

	"github.com/jackc/pgx/v5"

	"github.com/slipwayhq/slipway"
)

// ErrNoServer means that there is no server yet, and so nothing on it.
var ErrNoServer = errors.New("there is no PostgreSQL yet")

// Server is where databases are kept.
type Server interface {
	// Where names the server for good, and for people.
	Where() string
	// Endpoint returns how the server is reached. With start set, one of our own
	// begins to exist if it does not yet; else the error is ErrNoServer.
	Endpoint(ctx context.Context, start bool) (Endpoint, error)
	// Contained returns the address for agents in containers, in the form of the
	// Endpoint's, of a server that is there. One of our own may have to be started
	// again for that.
	Contained(ctx context.Context) (*url.URL, error)
}

// Endpoint is how a server is reached.
type Endpoint struct {
	Place string          // for people
	Admin *pgx.ConnConfig // of who may make roles and databases
	// Addresses without user and database, in the form of libpq: for programs of
	// ours, and for agents that are processes of this machine.
	Here, Agents *url.URL
}

// address fills an address in.
func address(to *url.URL, user, password, database string) string {
	u := *to
	u.User = url.User(user)
	if password != "" {
		u.User = url.UserPassword(user, password)
	}
	u.Path = "/" + database
	return u.String()
}

// connectWithin bounds one attempt to connect, unless the address says otherwise.
const connectWithin = 5 * time.Second

// Given is a server that somebody else runs.
type Given struct {
	endpoint  Endpoint
	contained *url.URL // nil if containers can not get there
}

// Where implements Server.
func (g *Given) Where() string { return g.endpoint.Place }

// Endpoint implements Server.
func (g *Given) Endpoint(context.Context, bool) (Endpoint, error) { return g.endpoint, nil }

// Contained implements Server.
func (g *Given) Contained(context.Context) (*url.URL, error) {
	if g.contained == nil {
		return nil, NotReached(g.endpoint.Place)
	}
	return g.contained, nil
}

// NotReached is the failure of an agent in a container that does not reach the
// server at a place.
func NotReached(place string) *slipway.Failure {
	return failed("database_not_reached",
		"Name the host:port by which containers reach PostgreSQL, and let it listen there.",
		"The agent runs in a container, which does not reach the PostgreSQL at %s.", place)
}

var errAddress = errors.New("the address of the PostgreSQL for agents can not be read: want postgres://user:password@host:port/database, with what is special in the password written as %XX")

// ParseGiven reads how a server is reached: the address of its administrator, with
// the parameters of libpq, and host:port by which agents and containers reach it,
// "" where that is the same. No error holds the password.
func ParseGiven(admin, agents, contained string) (*Given, error) {
	u, err := url.Parse(admin)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errAddress
	}
	config, err := pgx.ParseConfig(admin)
	if err != nil {
		return nil, errAddress // what the library says may quote it
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectWithin
	}
	config.RuntimeParams["application_name"] = "slipway"
	g := &Given{endpoint: Endpoint{Place: place(config), Admin: config, Here: reach(u, config)}}
	if g.endpoint.Agents, err = at(g.endpoint.Here, agents); err != nil {
		return nil, err
	}
	if contained == "" && alone(g.endpoint.Agents.Hostname()) {
		return g, nil
	}
	g.contained, err = at(g.endpoint.Agents, contained)
	return g, err
}

// alone says whether only this machine reaches a host.
func alone(host string) bool {
	return host == "" || host == "localhost" || net.ParseIP(host).IsLoopback()
}

// place is where a server is, for people.
func place(c *pgx.ConnConfig) string {
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
}

// passed are the parameters of an administrator's address that are about the way
// and not about who goes it.
var passed = []string{"host", "port", "sslmode", "sslrootcert", "target_session_attrs", "connect_timeout"}

// reach makes the address for programs of ours, who find the server as the
// administrator does.
func reach(u *url.URL, c *pgx.ConnConfig) *url.URL {
	to := &url.URL{Scheme: "postgresql", Host: u.Host}
	query := url.Values{}
	for name, values := range u.Query() {
		if slices.Contains(passed, name) {
			query[name] = values
		}
	}
	if u.Host == "" && !query.Has("host") { // it is said by variables
		query.Set("host", c.Host)
		query.Set("port", strconv.Itoa(int(c.Port)))
	}
	to.RawQuery = query.Encode()
	return to
}

// at is the address of a server for whoever reaches it by another host:port, or by
// the same if that is "". Files of ours are not theirs: they encrypt as the
// administrator does, and do not ask who is there.
func at(here *url.URL, hostport string) (*url.URL, error) {
	u, query := *here, here.Query()
	if hostport != "" {
		host, port, err := net.SplitHostPort(hostport)
		if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || host == "" || strings.ContainsAny(host, "/@?#") {
			return nil, fmt.Errorf("%q is no address for agents: want host:port of the PostgreSQL", hostport)
		}
		u.Host = hostport
		query.Del("host")
		query.Del("port")
	}
	query.Del("sslrootcert")
	query.Del("connect_timeout")
	if mode := query.Get("sslmode"); strings.HasPrefix(mode, "verify-") {
		query.Set("sslmode", "require")
	}
	u.RawQuery = query.Encode()
	return &u, nil
}

// failed makes a final failure.
func failed(code, hint, format string, args ...any) *slipway.Failure {
	return &slipway.Failure{Phase: slipway.PhaseDeploy, Step: "database", Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
}
