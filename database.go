package slipway

import (
	"context"
	"errors"
	"io"
)

// Needs is what an Agent Server keeps its data in beside files.
type Needs struct {
	Postgres bool // it does not start without a database
	Redis    bool // without one it runs, but its instances do not share their work
}

// Without is what is needed beside what there is.
func (n Needs) Without(there Needs) Needs {
	return Needs{Postgres: n.Postgres && !there.Postgres, Redis: n.Redis && !there.Redis}
}

// RedisServer is a Redis of a deployment's own. It runs beside its agents, as an
// instance that no revision has.
type RedisServer struct {
	Deployment DeploymentID
	Port       int    // for good: agents are told it
	Password   string // likewise
	Share      Share  // what it may use; what is unset has a default
}

// Redis is the instance that a deployment's own Redis runs as. There is one at
// most, and no other has the id of a deployment.
func (d DeploymentID) Redis() InstanceID { return InstanceID(d) }

// ErrDatabaseGone means that a database which was made is not there any more,
// and that nobody here removed it. It is not made again: that would hide a loss.
var ErrDatabaseGone = errors.New("the database is gone")

// ErrUnmarked means that there are keys under the number of a Redis, and nothing that
// says whose they are.
var ErrUnmarked = errors.New("nobody has marked it")

// Login is how the agents of a deployment sign in to its database. A rotation
// makes the next one, and the last goes when no instance has it any more.
type Login struct {
	Number   int // 1, 2, … within the deployment
	Password string
}

// DatabaseRequest asks for the database of a deployment.
type DatabaseRequest struct {
	Deployment DeploymentID
	Login      Login
	Made       bool // it was there before: it is not made again
	Contained  bool // agents are containers, which do not reach what this machine alone does
}

// DatabaseUsage is how much of its server a deployment has.
type DatabaseUsage struct {
	Bytes       int64
	Connections int
	Full        bool // it takes no changes, for holding more than it may
}

// RedisUsage is what a Redis of a deployment's own uses.
type RedisUsage struct {
	CPU    float64 // cores
	Memory int64   // bytes
}

// Databases keeps a PostgreSQL database for each deployment that needs one, on a
// server that they share. A deployment reaches no database but its own. Every
// call is idempotent and may be repeated after the caller died inside it. A
// *Failure is final; every other error is temporary, such as that the server is
// down. No error holds a password.
type Databases interface {
	// Where names the server for good, whether it is there or not.
	Where() string
	// Reach says whether the server is there and lets us make databases. One of our
	// own begins to be.
	Reach(ctx context.Context) error
	// Provide makes the database and the login, or finds them, and returns the
	// address with which an agent gets in: postgresql://… ErrDatabaseGone says that
	// the database was made and is not there.
	Provide(ctx context.Context, r DatabaseRequest) (uri string, err error)
	// Logins lists the numbers of the logins that there are.
	Logins(ctx context.Context, d DeploymentID) ([]int, error)
	// Retire removes a login and ends what is connected by it.
	Retire(ctx context.Context, d DeploymentID, number int) error
	// Usage measures a database that is there.
	Usage(ctx context.Context, d DeploymentID) (DatabaseUsage, error)
	// Export writes a dump of the database; ErrDatabaseGone if there is none.
	Export(ctx context.Context, d DeploymentID, w io.Writer) error
	// Import puts a dump that Export wrote in the place of what is in the database,
	// once it was read and replace agrees; if that fails nothing was changed.
	Import(ctx context.Context, d DeploymentID, r io.Reader, replace func(context.Context) error) error
	// Purge removes the database and every login. It returns when it has looked
	// again.
	Purge(ctx context.Context, d DeploymentID) error
	// Remains looks at what there is of a deployment, of all if it is "". What is
	// another installation's, or a stranger's, is never among it.
	Remains(ctx context.Context, d DeploymentID) ([]Thing, error)
}
