package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/turn"
	"github.com/slipwayhq/slipway/store"
)

// batch bounds how many functions share a commit, and so how long the first of
// them waits for the last.
const batch = 128

// errUnwound is the outcome of a function that did not return.
var errUnwound = errors.New("the function of an update did not return")

// writer owns the connection that writes.
type writer struct {
	conn  *conn
	queue chan *call // unbuffered: what waits, waits at the sender's side
	done  chan struct{}

	commits, updates atomic.Uint64 // that succeeded
	hurried          atomic.Int32  // calls that are not at a turn: somebody waits for them
}

// call is one Update on its way through the writer.
type call struct {
	ctx    context.Context
	turn   chan slipway.Tx // unbuffered: whoever gave up does not take it
	ran    chan error      // what its function returned
	answer chan error
}

func newWriter(c *conn) *writer {
	w := &writer{conn: c, queue: make(chan *call), done: make(chan struct{})}
	c.awaited = func() bool { return w.hurried.Load() > 0 }
	return w
}

// update waits for its turn, runs fn and waits for the commit.
func (w *writer) update(ctx context.Context, fn func(slipway.Tx) error, closing <-chan struct{}) error {
	c := &call{ctx: ctx, turn: make(chan slipway.Tx), ran: make(chan error, 1), answer: make(chan error, 1)}
	if turn.At(ctx) == nil {
		w.hurried.Add(1)
		defer w.hurried.Add(-1)
	}
	if err := w.enqueue(c, closing); err != nil {
		return err
	}
	select {
	case tx := <-c.turn:
		c.run(fn, tx)
	case err := <-c.answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the writer: %w", context.Cause(ctx))
	}
	return <-c.answer
}

func (w *writer) enqueue(c *call, closing <-chan struct{}) error {
	if err := context.Cause(c.ctx); err != nil {
		return fmt.Errorf("wait for the writer: %w", err)
	}
	select {
	case w.queue <- c:
		return nil
	case <-c.ctx.Done():
		return fmt.Errorf("wait for the writer: %w", context.Cause(c.ctx))
	case <-closing:
		return store.ErrClosed
	}
}

// run tells the writer how fn ended, also when it panics or exits.
func (c *call) run(fn func(slipway.Tx) error, tx slipway.Tx) {
	err := errUnwound
	defer func() { c.ran <- err }()
	err = fn(tx)
}

func (w *writer) run(closing <-chan struct{}) {
	defer close(w.done)
	for {
		select {
		case first := <-w.queue:
			w.commit(first)
		case <-closing:
			return
		}
	}
}

// commit runs first and what waits behind it in one transaction, and answers.
func (w *writer) commit(first *call) {
	calls, err := w.transact(first)
	if err != nil {
		w.conn.rollback()
	} else if len(calls) > 0 {
		w.commits.Add(1)
		w.updates.Add(uint64(len(calls)))
	}
	for _, c := range calls {
		c.answer <- err
	}
}

// transact returns the calls whose outcome is that of the transaction. Those
// whose function failed have been answered.
func (w *writer) transact(first *call) (calls []*call, err error) {
	if err := w.conn.begin("BEGIN IMMEDIATE"); err != nil {
		return []*call{first}, err
	}
	for next, n := first, 1; next != nil; next, n = w.waiting(n), n+1 {
		kept, err := w.one(next)
		if kept {
			calls = append(calls, next)
		}
		if err != nil {
			return calls, err
		}
	}
	if !w.conn.awaited() {
		turn.At(first.ctx).Rest() // to write what changed takes longer than most statements
	}
	return calls, w.conn.control("COMMIT")
}

// waiting returns a call that waits already, nil if there is none or n have
// been taken.
func (w *writer) waiting(n int) *call {
	if n >= batch {
		return nil
	}
	select {
	case c := <-w.queue:
		return c
	default:
		return nil
	}
}

// one gives a call its turn within a savepoint. It is kept unless its function
// failed; an error means that the whole transaction is lost.
func (w *writer) one(c *call) (kept bool, err error) {
	if err := w.conn.begin("SAVEPOINT one"); err != nil {
		return true, err
	}
	if err := w.turn(c); err != nil {
		return w.undo(c, err)
	}
	return true, w.conn.control("RELEASE one")
}

// turn lends the connection to the caller, unless its context ends before it
// takes it.
func (w *writer) turn(c *call) error {
	tx := store.NewTx(context.WithoutCancel(c.ctx), w.conn)
	select {
	case c.turn <- tx:
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	if err := <-c.ran; err != nil {
		return err
	}
	return w.conn.failed
}

// undo takes back what one function wrote. Where the savepoint is gone, SQLite
// has ended the transaction: the cause is what the statement said.
func (w *writer) undo(c *call, cause error) (kept bool, err error) {
	failed := w.conn.failed
	if err := w.conn.control("ROLLBACK TO one"); err != nil {
		return true, errors.Join(failed, err)
	}
	c.answer <- cause
	return false, w.conn.control("RELEASE one")
}
