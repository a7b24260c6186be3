package registry

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

// Limits that apply where a Config sets none.
const (
	// DefaultMaxBlob is the size of one layer, in bytes.
	DefaultMaxBlob = 10 << 30
	// DefaultGrace is how long what nobody refers to is kept for the rest of its
	// push.
	DefaultGrace = 24 * time.Hour
	// DefaultStalled is how long a push may bring nothing before it is cut.
	DefaultStalled = 2 * time.Minute
)

// maxManifest is the size of a manifest, in bytes; clients count on 4 MiB.
const maxManifest = 4 << 20

// Signer makes signatures that only this installation can.
type Signer interface {
	Sign(message string) string
	Verify(message, signature string) bool
}

// Config is what a registry goes by.
type Config struct {
	Signer Signer
	// Lives says whether a deployment exists and is not being deleted. It is asked
	// at every request, so that a token dies with its deployment.
	Lives func(context.Context, slipway.DeploymentID) (bool, error)
	// Ours says whether a host[:port] in an image's name is this server's.
	Ours func(host string) bool
	// Room returns what to tell who pushes while the disk is almost full. nil has
	// always room.
	Room    func() error
	MaxBlob int64         // bytes of one layer
	Grace   time.Duration // before what a push left is collected
	Stalled time.Duration // before a push that brings nothing is cut
	Now     func() time.Time
	Logger  *slog.Logger
}

// Registry keeps images. It is an http.Handler for what Matches.
type Registry struct {
	config  Config
	disk    *disk
	visits  visits
	writers writers
	done    counter
	// refer is held, shared, from looking at what a manifest refers to until the
	// manifest is written, and alone while what no manifest refers to is taken
	// away: no reference is to what has just gone.
	refer sync.RWMutex
}

// Open opens the registry in a folder, and makes the folder where there is none.
// At most one process may have it open.
func Open(folder string, config Config) (*Registry, error) {
	disk, err := openDisk(folder)
	if err != nil {
		return nil, err
	}
	config.MaxBlob = cmp.Or(config.MaxBlob, DefaultMaxBlob)
	config.Grace = cmp.Or(config.Grace, DefaultGrace)
	config.Stalled = cmp.Or(config.Stalled, DefaultStalled)
	if config.Room == nil {
		config.Room = func() error { return nil }
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Registry{config: config, disk: disk, visits: visits{of: map[slipway.DeploymentID]*visit{}}, writers: writers{busy: map[string]bool{}}}, nil
}

// Close ends the use of the folder. Nothing may be served any more.
func (r *Registry) Close() error { return r.disk.root.Close() }
