package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/database/programs"
	"github.com/slipwayhq/slipway/internal/address"
	"github.com/slipwayhq/slipway/internal/backoff"
	"github.com/slipwayhq/slipway/internal/confine"
)

// Config is how the server is kept.
type Config struct {
	Folder string        // for all of it
	Hide   string        // the data folder, of which it sees nothing else
	User   *confine.User // that it runs as; nil for who we are, if that is not root
	Port   int           // on the loopback address; 0 for the first free one, for good
	// Bridge tells where containers reach this machine, at each start and when one
	// needs the server, which then listens there too; nil if there are none.
	Bridge   func(context.Context) (host string, err error)
	Programs programs.Finder
	Restart  backoff.Exponential // waits before it is started again; zero for the usual
	Logger   *slog.Logger
}

// steady is how long it has to run for its next start to be as if nothing was.
const steady = time.Minute

// phase is where the server is; see the package's promises.
type phase int

const (
	absent phase = iota
	starting
	up
	down
	stopped
)

// Server is a PostgreSQL server of our own. It is a database.Server.
type Server struct {
	layout
	config Config
	said   int64 // where the output of this start begins

	alive  context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	binding sync.Mutex    // held by who has it listen at another address
	again   chan struct{} // PostgreSQL is to end and be started again

	mu       sync.Mutex
	phase    phase
	err      error // why it is down
	endpoint database.Endpoint
	listens  []string      // where it was started to listen; nil if it was adopted
	changed  chan struct{} // closed at the next change of the phase
}

var _ database.Server = (*Server)(nil)

// Open adopts a server that runs, or starts one that has run before. It returns at
// once. Of a folder there is one Server at a time.
func Open(config Config) (*Server, error) {
	config.Restart = cmp.Or(config.Restart, backoff.Exponential{First: time.Second, Most: time.Minute})
	folder, err := filepath.Abs(config.Folder)
	if err == nil {
		config.Hide, err = filepath.Abs(cmp.Or(config.Hide, config.Folder))
	}
	if err == nil {
		err = os.MkdirAll(folder, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("folder of PostgreSQL: %w", err)
	}
	if os.Geteuid() != 0 {
		config.User = nil // nobody else can be become
	} else if config.User == nil {
		return nil, errors.New("PostgreSQL does not run as root: name a user for it")
	}
	s := &Server{layout: layout(folder), config: config, again: make(chan struct{}), changed: make(chan struct{})}
	s.alive, s.cancel = context.WithCancel(context.Background())
	exists, err := s.exists()
	if err != nil {
		return nil, fmt.Errorf("folder of PostgreSQL: %w", err)
	}
	if exists {
		s.begin()
	}
	return s, nil
}

// begin has the server looked after. The caller holds the lock, or is alone.
func (s *Server) begin() {
	s.phase = starting
	s.work.Go(s.supervise)
}

// Close lets go of the server, which runs on.
func (s *Server) Close() error {
	s.cancel()
	s.work.Wait()
	return nil
}

// Stop ends the server: what goes on in it is cut, what is committed is kept. It
// returns when it has ended; the next Open starts it again.
func (s *Server) Stop(ctx context.Context) error {
	s.cancel()
	s.work.Wait()
	s.set(stopped, nil)
	if exists, err := s.exists(); err != nil || !exists {
		return err
	}
	p, err := s.adopt(ctx)
	if p == nil || err != nil {
		return err
	}
	defer p.close()
	if err := p.signal(unix.SIGINT); err != nil {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	if !p.wait(ctx) {
		return fmt.Errorf("stop PostgreSQL: %w", ctx.Err())
	}
	p.reap()
	return nil
}

// Where implements database.Server. It is the same wherever the data folder lies.
func (s *Server) Where() string { return "Slipway's own" }

// Endpoint implements database.Server.
func (s *Server) Endpoint(ctx context.Context, start bool) (database.Endpoint, error) {
	for {
		s.mu.Lock()
		if s.phase == absent && start && s.alive.Err() == nil {
			s.begin()
		}
		phase, endpoint, err, changed := s.phase, s.endpoint, s.err, s.changed
		s.mu.Unlock()
		switch {
		case phase == up:
			return endpoint, nil
		case phase == down:
			return endpoint, err
		case phase == absent:
			return endpoint, database.ErrNoServer
		case phase == stopped || s.alive.Err() != nil:
			return endpoint, errClosed
		}
		select {
		case <-changed:
		case <-s.alive.Done():
		case <-ctx.Done():
			return endpoint, fmt.Errorf("PostgreSQL is being started: %w", ctx.Err())
		}
	}
}

var errClosed = errors.New("PostgreSQL is not looked after any more")

// set changes the phase, and wakes who waits for that.
func (s *Server) set(p phase, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase, s.err = p, err
	close(s.changed)
	s.changed = make(chan struct{})
}

// supervise has a server run until we are closed.
func (s *Server) supervise() {
	for failures := 0; ; {
		began := time.Now()
		err := s.keep()
		if s.alive.Err() != nil {
			return
		}
		if errors.Is(err, errAgain) {
			continue
		}
		if time.Since(began) > steady {
			failures = 0
		}
		failures++
		wait := s.config.Restart.After(failures)
		s.set(down, err)
		s.config.Logger.Error("PostgreSQL does not run", slog.Any("error", err), slog.Duration("again_in", wait))
		select {
		case <-time.After(wait):
		case <-s.alive.Done():
			return
		}
	}
}

// keep brings a server up, and returns why it is not any more.
func (s *Server) keep() error {
	p, adopted, err := s.raise()
	if err != nil {
		return err
	}
	defer p.close()
	if err := s.greet(p, adopted); err != nil {
		return err
	}
	s.config.Logger.Info("PostgreSQL runs", slog.Int("pid", p.pid), slog.Bool("adopted", adopted))
	s.set(up, nil)
	return s.watch(p)
}

// raise adopts a server, or starts one.
func (s *Server) raise() (p *process, adopted bool, err error) {
	exists, err := s.exists()
	if err != nil {
		return nil, false, err
	}
	if exists {
		if p, err = s.adopt(s.alive); p != nil || err != nil {
			return p, true, err
		}
	}
	found, err := s.programs()
	if err != nil {
		return nil, false, err
	}
	if !exists {
		if err := s.make(s.alive, found); err != nil {
			return nil, false, err
		}
	}
	p, err = s.start(s.alive, found)
	return p, false, err
}

// Wants says which programs the server of a folder wants: those of its data's own
// version, or any if there is none yet.
func Wants(folder string) (programs.Wanted, error) {
	l := layout(folder)
	exists, err := l.exists()
	if err != nil || !exists {
		return programs.Servers(0), err
	}
	version, err := l.version()
	return programs.Servers(version), err
}

// programs finds or brings them.
func (s *Server) programs() (programs.Programs, error) {
	wanted, err := Wants(string(s.layout))
	if err != nil {
		return programs.Programs{}, err
	}
	found, err := s.config.Programs.Find(s.alive, wanted)
	if f, ok := errors.AsType[*slipway.Failure](err); ok && wanted.Only != 0 {
		return found, &slipway.Failure{
			Phase: f.Phase, Step: f.Step, Code: "postgres_version",
			Message: fmt.Sprintf("The databases of agents in %s are of PostgreSQL %d. %s", s.data(), wanted.Only, f.Message),
			Hint:    f.Hint + " Or move the data to a newer version with pg_upgrade, as docs/databases.md tells. Nothing of it was touched.",
		}
	}
	return found, err
}

// greet waits until a server answers.
func (s *Server) greet(p *process, adopted bool) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		err := s.meet(adopted)
		if err == nil {
			return nil
		}
		if p.ended() {
			return s.epitaph(p)
		}
		select {
		case <-tick.C:
		case <-s.alive.Done():
			return s.alive.Err()
		}
	}
}

// epitaph says why a server has ended, as far as it said so.
func (s *Server) epitaph(p *process) error {
	p.reap()
	return s.full(fmt.Errorf("PostgreSQL has ended, and is started again. It said last: %s", cmp.Or(s.lastWords(), "nothing")))
}

// meetWithin bounds one try to connect.
const meetWithin = 10 * time.Second

// meet connects once, and learns how others do.
func (s *Server) meet(adopted bool) error {
	lock, err := os.ReadFile(s.pidFile())
	if err != nil {
		return err
	}
	port := numberAt(string(lock), portLine)
	config, err := s.admin(port)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.alive, meetWithin)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if !adopted { // nobody but us has anything to do there
		if _, err := conn.Exec(ctx, "REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC"); err != nil {
			return err
		}
	}
	if err := s.keepPort(port); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoint = reached(config, port)
	return nil
}

// admin is how we get in: by the socket, to whoever owns its folder.
func (s *Server) admin(port int) (*pgx.ConnConfig, error) {
	password, err := s.password()
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig("postgresql://?sslmode=disable")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port = s.run(), uint16(port)
	config.User, config.Password, config.Database = admin, password, "postgres"
	config.Fallbacks, config.ConnectTimeout = nil, meetWithin
	config.RuntimeParams = map[string]string{"application_name": "slipway"}
	config.DialFunc = func(ctx context.Context, _, path string) (net.Conn, error) {
		return address.DialSocket(ctx, path)
	}
	return config, nil
}

func reached(config *pgx.ConnConfig, port int) database.Endpoint {
	at := &url.URL{Scheme: "postgresql", Host: net.JoinHostPort(loopback, strconv.Itoa(port))}
	return database.Endpoint{Place: at.Host, Admin: config, Here: at, Agents: at}
}

// trimEvery is how often it is looked how much PostgreSQL has said.
const trimEvery = time.Minute

// watch returns when a server has ended, or we are closed. It ends one that is to
// be started again.
func (s *Server) watch(p *process) error {
	asked := false
	ended := make(chan bool, 1)
	s.work.Go(func() { ended <- p.wait(s.alive) })
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.trim(); err != nil {
				s.config.Logger.Warn("what PostgreSQL says is not trimmed", slog.Any("error", err))
			}
		case <-s.again:
			asked = true
			s.set(starting, nil)
			if err := p.signal(unix.SIGINT); err != nil {
				return fmt.Errorf("stop PostgreSQL: %w", err)
			}
		case <-ended:
			if s.alive.Err() != nil {
				return s.alive.Err()
			}
			if asked {
				p.reap()
				return errAgain
			}
			return s.epitaph(p)
		}
	}
}
