package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/slipwayhq/slipway"
)

// Slipway may be started with the address of another server than the one that the
// things of a deployment were made on. That they are not there says nothing then, so
// the inventory knows the place. What has come along with its marks, as pg_dumpall
// and the files of a Redis take them, is there, wherever there is.

// errNoServer means that something was made on a server that is not known any
// more.
var errNoServer = errors.New("the server that it is on is not known any more: start Slipway with the address that it had")

// elsewhere is errNoServer with both places, of which here is "" for none.
func elsewhere(there, here string) error {
	if here == "" {
		return fmt.Errorf("%w (it is on %s)", errNoServer, there)
	}
	return fmt.Errorf("%w (it is on %s, and this is %s)", errNoServer, there, here)
}

// item is the first of the inventory that is wanted, zero for none.
func (w *worker) item(wanted func(slipway.Item) bool) (item slipway.Item) {
	if i := slices.IndexFunc(w.a.Items, wanted); i >= 0 {
		item = w.a.Items[i]
	}
	return item
}

// databaseItem is the database of the deployment: all that it has in PostgreSQL is
// on the same server.
func (w *worker) databaseItem() slipway.Item {
	return w.item(func(i slipway.Item) bool { return i.Kind == slipway.ItemDatabase })
}

// numberItem is its number on a Redis that deployments share.
func (w *worker) numberItem() slipway.Item {
	return w.item(func(i slipway.Item) bool {
		return i.Kind == slipway.ItemRedis && i.Ref != string(w.a.Deployment.ID)
	})
}

// databaseIsHere says whether the server that is known is the one that the database
// of the deployment is on, as far as that is known.
func (w *worker) databaseIsHere(ctx context.Context) error {
	if w.config.Databases == nil {
		return errNoServer
	}
	return w.isHere(ctx, w.databaseItem(), w.config.Databases)
}

// databaseToKeepIsHere is databaseIsHere for a deployment that may have none.
func (w *worker) databaseToKeepIsHere(ctx context.Context) error {
	if w.databaseItem().Ref == "" {
		return nil
	}
	return w.databaseIsHere(ctx)
}

func (w *worker) numberIsHere(ctx context.Context) error {
	if w.config.Redis == nil {
		return errNoServer
	}
	return w.isHere(ctx, w.numberItem(), w.config.Redis)
}

// server is one on which deployments have something.
type server interface {
	Where() string
	Remains(ctx context.Context, d slipway.DeploymentID) ([]slipway.Thing, error)
}

// isHere compares where an item is with a server. What was moved is found, and that
// is written down.
func (w *worker) isHere(ctx context.Context, item slipway.Item, s server) error {
	if item.Place == "" || item.Place == s.Where() {
		return nil
	}
	things, err := s.Remains(ctx, w.a.Deployment.ID)
	if err != nil {
		return err
	}
	if len(things) == 0 {
		return elsewhere(item.Place, s.Where())
	}
	return w.place(ctx, item, s.Where())
}

func (w *worker) place(ctx context.Context, item slipway.Item, place string) error {
	return w.report(ctx, slipway.ItemPlaced{Kind: item.Kind, Ref: item.Ref, Place: place})
}

// placeDatabase writes down where the database of the deployment is made, before
// that: on a server that answers, so that an address with a slip of the pen is none.
func (w *worker) placeDatabase(ctx context.Context) error {
	item := w.databaseItem()
	if item.Place != "" {
		return w.databaseIsHere(ctx)
	}
	if err := w.config.Databases.Reach(ctx); err != nil {
		return err
	}
	return w.place(ctx, item, w.config.Databases.Where())
}

// placeNumber writes down where its number is, once that is marked.
func (w *worker) placeNumber(ctx context.Context) error {
	item, here := w.numberItem(), w.config.Redis.Where()
	if item.Place == here {
		return nil
	}
	return w.place(ctx, item, here)
}
