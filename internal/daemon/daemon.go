// Package daemon puts a whole server together: control plane, data plane and
// gateway in one process, on one folder of data. The command starts it, and so
// do benchmarks that bring an agent kind of their own.
package daemon

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/access"
	"github.com/slipwayhq/slipway/api"
	"github.com/slipwayhq/slipway/blob"
	"github.com/slipwayhq/slipway/build"
	"github.com/slipwayhq/slipway/build/archive"
	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/database"
	"github.com/slipwayhq/slipway/database/redis"
	"github.com/slipwayhq/slipway/database/server"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/gateway"
	"github.com/slipwayhq/slipway/gateway/accesslog"
	"github.com/slipwayhq/slipway/internal/disk"
	"github.com/slipwayhq/slipway/internal/engine"
	"github.com/slipwayhq/slipway/internal/peer"
	"github.com/slipwayhq/slipway/internal/systemd"
	"github.com/slipwayhq/slipway/internal/turn"
	"github.com/slipwayhq/slipway/leftover"
	"github.com/slipwayhq/slipway/listener"
	"github.com/slipwayhq/slipway/meter"
	"github.com/slipwayhq/slipway/metrics"
	"github.com/slipwayhq/slipway/reconcile"
	"github.com/slipwayhq/slipway/registry"
	"github.com/slipwayhq/slipway/secret"
	"github.com/slipwayhq/slipway/service"
	"github.com/slipwayhq/slipway/snapshot"
	"github.com/slipwayhq/slipway/store/sqlite"
	"github.com/slipwayhq/slipway/trace/store"
	"github.com/slipwayhq/slipway/vitals"
)

const (
	// finishWithin is how long requests may take to end after SIGTERM. Streams
	// that last longer are cut; agents go on.
	finishWithin = 12 * time.Second
	// headerWithin bounds how long a client may take to say what it wants.
	headerWithin = 30 * time.Second
	// gatewayKeyTTL is how long the gateway remembers a key that it has from
	// access, which remembers it as long: of a revocation on another server the
	// gateway knows after both.
	gatewayKeyTTL = 2 * time.Second
	// followEvery is how late those who follow a deployment hear of what
	// another server on the same database wrote, at most.
	followEvery = 2 * time.Second
)

// Config is what a server is started with.
type Config struct {
	Data       string            // folder for everything
	Database   string            // postgres://…, "" for a file in the folder
	Listen     string            // host:port
	Sockets    []systemd.Socket  // opened before for Listen and the other addresses, which are met by name or address; the server closes them
	Scrapes    string            // host:port where Prometheus needs no key; "" for nowhere
	Every      time.Duration     // how often what runs is measured; 0 for 15 s
	Version    string            // of this server
	PublicURL  string            // "" for http://<listen>
	Domain     string            // agents are <slug>.<domain> too; "" for paths only
	Agents     Agents            // a port of their own, if any
	TLS        TLS               // unset for HTTP only
	Ports      slipway.PortRange // for agents
	StartLimit time.Duration     // replaces that of every agent kind, unless 0
	Quiet      time.Duration     // that a hand-over of state waits for a moment without runs
	Builds     int               // at once
	BuildUsers build.Users       // that programs of builds run as, if this server is root
	AgentUsers process.Users     // that agents run as, one a deployment, if this server is root
	AgentDisk  int64             // bytes that an agent may keep on the disk; 0 for any number
	Reserve    int64             // bytes that are kept free on the disk of the folder, for what runs; 0 for none
	BuildLimit build.Limits      // of programs of builds; zero for the defaults
	BuildRun   []string          // program with arguments that starts every program of a build
	MaxLayer   int64             // bytes of one layer of a pushed image; 0 for the registry's own limit
	Databases  Databases         // of agents
	Logins     string            // file with logins of the registries of images, as docker login writes it; "" for none
	DockerHost string            // of the engine that runs images, such as unix:///var/run/docker.sock; "" for none
	Images     *image.Bases      // sources are made into images on these, by that engine; nil for bundles
	Logger     *slog.Logger
	Settle     time.Duration   // that a revision is watched after its gate, to go back from it; 0 is not at all
	Vitals     vitals.Config   // how closely what serves is looked after; what is unset has its default
	Service    service.Config  // limits; what is unset has its default
	Final      string          // folder where the state of what is purged is kept; "" for nowhere
	Leftovers  leftover.Config // how what nobody knows is looked for; what is unset has its default
	Access     access.Config   // limits of keys, and the issuer of tokens
	Proxies    peer.Proxies    // whose word is taken for where a request comes from
	Traces     Traces          // where they go, and how much is kept of them
	AccessLog  *accesslog.Log  // of requests to agents; nil for none. It is closed by whoever opened it

	// Around is put around the store, AroundWorld around what deployments are
	// worked on with; nil for nothing. Tests die there.
	Around      func(slipway.Store) slipway.Store
	AroundWorld func(World) World
	// Kinds are asked before those that are built in.
	Kinds []func(cache, tmp string) kind.Kind
	// OpenDriver opens what runs agents, below a folder; nil for processes, and
	// containers in the engine.
	OpenDriver func(root string) (slipway.Driver, error)
}

// World is what a data plane changes the world with.
type World struct {
	Driver    slipway.Driver
	Builder   reconcile.Builder
	Databases slipway.Databases
}

// Paths within the folder of data.
func databaseFile(data string) string  { return filepath.Join(data, "slipway.db") }
func spareFile(data string) string     { return databaseFile(data) + "-spare" }
func encryptionKey(data string) string { return filepath.Join(data, "secret.key") }

// AdminKeyFile is where the first key is written.
func AdminKeyFile(data string) string { return filepath.Join(data, "admin.key") }

// Server is a whole server.
type Server struct {
	config    Config
	lock      *os.File
	store     slipway.Store
	spare     *disk.Spare // nil without a file
	blobs     *blob.Folder
	traces    *store.Store
	tracePool *sql.DB // nil where they lie in files
	images    *registry.Registry
	engine    *engine.Engine // nil for none
	driver    slipway.Driver
	databases *database.Postgres
	postgres  *server.Server // our own; nil if one is given
	redis     *redis.Shared  // nil for none
	ownRedis  *redis.Own
	service   *service.Service
	meter     *meter.Meter
	metrics   *metrics.Metrics
	gateway   *gateway.Gateway
	workers   *reconcile.Reconciler
	listener  *listener.Listener
	turns     *turn.Turns // of what is done about deletions
	outputs   *listener.Outputs
	doors     doors
	inlets    inlets
	names     certificates // nil without TLS
	stop      context.CancelFunc
	end       func() error
	running   sync.WaitGroup
	failed    chan error
}

// Start starts a server. It returns as soon as requests are taken; they may be
// held until Ready. On an error nothing is left running.
func Start(ctx context.Context, config Config) (*Server, error) {
	s := &Server{config: config, turns: turn.New(), failed: make(chan error, 3)}
	s.end = sync.OnceValue(s.shut)
	if err := s.open(ctx); err != nil {
		s.close()
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.running.Go(func() { s.service.Coordinate(run) })
	s.running.Go(func() { s.reserve().Watch(run, s.config.Logger, s.setAside) })
	s.running.Go(func() { s.retainTraces(run) })
	for _, i := range s.inlets.all() {
		s.running.Go(func() { i.keep(run) })
	}
	s.serve()
	if err := s.listener.Start(run); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.gateway.SetReady()
	return s, nil
}

// open opens every part, in the order in which they need each other.
func (s *Server) open(ctx context.Context) (err error) {
	for _, step := range []func(context.Context) error{
		s.openFolder, s.openSockets, s.openStore, s.openTraces, s.openMetrics, s.openNames, s.openEngine, s.openControl, s.openData,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) openFolder(context.Context) (err error) {
	if s.config.Data, err = filepath.Abs(s.config.Data); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(s.config.Data, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	s.lock, err = lockFolder(s.config.Data)
	return err
}

// reserve is what is kept free on the disk of the data folder.
func (s *Server) reserve() disk.Reserve {
	return disk.Reserve{Folder: s.config.Data, Bytes: s.config.Reserve}
}

func (s *Server) openStore(ctx context.Context) error {
	opened, err := openStore(ctx, s.config.Data, s.config.Database)
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	s.store = opened
	if file, ok := opened.(*sqlite.Store); ok {
		s.spare = disk.NewSpare(spareFile(s.config.Data), spareBytes)
		s.store = thrifty{file, s.spare, s.config.Logger}
		s.setAside()
	}
	if s.config.Around != nil {
		s.store = s.config.Around(s.store)
	}
	s.blobs, err = blob.OpenFolder(filepath.Join(s.config.Data, "blobs"))
	return err
}

func (s *Server) openControl(ctx context.Context) error {
	ring, err := secret.OpenFile(encryptionKey(s.config.Data))
	if err != nil {
		return err
	}
	if err := s.openRegistry(ring); err != nil {
		return err
	}
	config := s.config.Service
	config.Logger = s.config.Logger
	config.Tree = archive.Tree
	if s.config.Database != "" {
		config.FollowEvery = cmp.Or(config.FollowEvery, followEvery)
	}
	config.URL = s.deploymentURL
	keys := access.New(s.store, s.config.Access)
	// The gateway forgets after access: else it could ask for what is not forgotten yet.
	config.Forget = func() { keys.Forget(); s.gateway.ForgetKeys() }
	config.Moved = s.metrics.Moved
	config.Room = s.reserve().Refuse
	config.Tracing = s.where()
	config.Turns = s.turns
	config.Snapshots = s.config.Final != ""
	config.Certificates = s.given()
	config.Unroute = func(d slipway.DeploymentID, generation int64) { s.workers.Unroute(d, generation) }
	s.service = service.New(s.store, s.blobs, s.images, ring, config)
	s.gateway = gateway.New(gateway.Config{
		Identifier: keys, Guesses: keys, KeyTTL: gatewayKeyTTL, Domain: s.config.Domain,
		Wake: s.service.Rouse, Proxies: s.config.Proxies, AccessLog: s.config.AccessLog, Logger: s.config.Logger,
	})
	stopping, stop := context.WithCancel(context.Background())
	control, err := api.New(api.Config{
		Control: s.service, Keys: keys, Signer: ring, PublicURL: s.publicURL(), Logger: s.config.Logger, Ready: s.Ready, Proxies: s.config.Proxies, Stopping: stopping,
		Scrape: s.scrapeFor, Full: func() bool { low, _ := s.reserve().Low(); return low },
	})
	if err != nil {
		stop()
		return err
	}
	s.handle(control, s.tracing(keys, ring))
	s.doors.main.http.RegisterOnShutdown(stop)
	if err := s.adoptCertificates(ctx); err != nil {
		return err
	}
	return s.service.Bootstrap(ctx, func(token string) error { return WriteKey(AdminKeyFile(s.config.Data), token) })
}

func (s *Server) openRegistry(ring *secret.Keyring) (err error) {
	s.images, err = registry.Open(filepath.Join(s.config.Data, "registry"), registry.Config{
		Signer: ring, Ours: s.isOwnHost, MaxBlob: s.config.MaxLayer, Room: s.reserve().Refuse, Logger: s.config.Logger,
		Lives: func(ctx context.Context, d slipway.DeploymentID) (bool, error) { return s.service.TakesPushes(ctx, d) },
	})
	return err
}

// isOwnHost says whether images with a host in their names lie here.
func (s *Server) isOwnHost(host string) bool {
	if host == api.RegistryHost(s.URL()) {
		return true
	}
	name, port, err := net.SplitHostPort(host)
	loopback := name == "localhost" || net.ParseIP(name).IsLoopback()
	return err == nil && loopback && port == strconv.Itoa(s.doors.main.port())
}

func (s *Server) openData(ctx context.Context) error {
	owner, err := identity(s.config.Data)
	if err != nil {
		return err
	}
	if s.engine != nil {
		s.engine.Owner = owner
	}
	if s.driver, err = s.openDriver(owner); err != nil {
		return fmt.Errorf("open driver: %w", err)
	}
	builder, err := build.Open(build.Options{
		Dir: s.config.Data, Kinds: s.config.Kinds, StartLimit: s.config.StartLimit,
		Engine: s.engine, Owner: owner, Images: s.config.Images,
		Users: s.config.BuildUsers, Limits: s.config.BuildLimit, Wrapper: s.config.BuildRun, Room: s.reserve().Refuse,
	})
	if err != nil {
		return fmt.Errorf("open builder: %w", err)
	}
	if err := s.openDatabases(owner); err != nil {
		return err
	}
	for _, hold := range builder.Holds() {
		s.config.Logger.Debug("builds are held", slog.String("by", hold))
	}
	final, err := s.openFinal()
	if err != nil {
		return err
	}
	s.outputs = listener.NewOutputs(s.service, s.driver, s.config.Logger, time.Now)
	s.meter = meter.New(s.service, s.driver, s.gateway, meter.Config{Owner: owner, Every: s.config.Every, Databases: s.databases, Logger: s.config.Logger})
	health := s.config.Vitals
	health.Logger = s.config.Logger
	watched := vitals.New(s.gateway, s.driver, health)
	world := World{s.driver, builder, s.databases}
	if s.config.AroundWorld != nil {
		world = s.config.AroundWorld(world)
	}
	s.workers = reconcile.New(s.service, world.Driver, world.Builder, s.gateway, s.outputs, reconcile.Config{
		Owner: owner, Ports: s.config.Ports, Builds: s.config.Builds, Settle: s.config.Settle, Quiet: s.config.Quiet,
		DiskMB: int(s.config.AgentDisk >> 20), Reach: s.reach,
		Turns: s.turns, Meter: s.meter, Vitals: watched, Final: final, Databases: world.Databases, Redis: s.sharedRedis(), OwnRedis: s.ownRedis, Logger: s.config.Logger, Now: time.Now,
	})
	s.listener = listener.New(s.service, s.driver, s.workers, s.outputs, listener.Config{
		Owner: owner, Batch: 100, Vitals: watched, Leftovers: s.scanner(owner, builder), Logger: s.config.Logger,
	})
	return nil
}

// openFinal opens the folder of final snapshots, nil if there is to be none.
func (s *Server) openFinal() (reconcile.FinalSnapshots, error) {
	if s.config.Final == "" {
		return nil, nil
	}
	return snapshot.Open(s.config.Final, s.driver, s.databases)
}

// scanner looks for what is left over wherever something is kept.
func (s *Server) scanner(owner string, builder *build.Builder) *leftover.Scanner {
	config := s.config.Leftovers
	config.Owner, config.Count, config.Logger = owner, s.metrics.Leftovers, s.config.Logger
	config.Shared = cmp.Or(config.Shared, s.config.Service.Retention.For)
	places := append(s.databasePlaces(), leftover.OfDriver(s.driver), leftover.OfBuilder(builder, s.service), s.service.Stored())
	return leftover.New(s.service, config, places...)
}

// Ready says whether all that runs can be reached.
func (s *Server) Ready() bool { return s.listener.Ready() }

// Failed gets an error if the server can not go on.
func (s *Server) Failed() <-chan error { return s.failed }

// Stop takes no more requests, lets those that have begun end, bounded, and
// stops everything but the agents. It may be called again, and returns when all
// is stopped.
func (s *Server) Stop() error { return s.end() }

func (s *Server) shut() error {
	ctx, cancel := context.WithTimeout(context.Background(), finishWithin)
	defer cancel()
	s.finish(ctx)
	s.listener.Stop()
	s.meter.Stop()
	s.stop()
	s.running.Wait()
	return s.close()
}

// close gives back what open took.
func (s *Server) close() error {
	var errs []error
	if s.meter != nil {
		s.meter.Stop()
	}
	if s.gateway != nil {
		s.gateway.Close()
	}
	if c, ok := s.driver.(interface{ Close() error }); ok {
		errs = append(errs, c.Close())
	}
	errs = append(errs, s.closeDatabases())
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	errs = append(errs, s.closeTraces())
	if s.blobs != nil {
		errs = append(errs, s.blobs.Close())
	}
	if s.images != nil {
		errs = append(errs, s.images.Close())
	}
	s.doors.close()
	if s.names != nil {
		s.names.Close()
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
