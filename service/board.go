package service

import (
	"sync"

	"github.com/slipwayhq/slipway"
)

// board tells those who wait in this process that a deployment changed. It only
// wakes: who is woken reads the rows, and who was not looks again in time.
type board struct {
	any       bell // rings with every post
	deletions bell // for those who take up deletions
	dying     bell // for those who finish and purge them

	mu      sync.Mutex
	watches map[slipway.DeploymentID]*watch
}

// bell wakes all who wait for it to ring.
type bell struct {
	mu   sync.Mutex
	next chan struct{}
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.next)
	b.next = make(chan struct{})
}

// wait returns a channel that the next ring closes.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

func newBell() bell { return bell{next: make(chan struct{})} }

// watch is what those who wait for one deployment share.
type watch struct {
	board   *board
	id      slipway.DeploymentID
	changed chan struct{}
	holders int
}

func newBoard() *board {
	return &board{any: newBell(), deletions: newBell(), dying: newBell(), watches: map[slipway.DeploymentID]*watch{}}
}

// Post wakes those who wait for the deployment, and those who wait for any.
func (b *board) Post(id slipway.DeploymentID) {
	b.any.ring()
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.watches[id]; w != nil {
		close(w.changed)
		w.changed = make(chan struct{})
	}
}

// Watch begins to wait for one deployment; Leave ends it.
func (b *board) Watch(id slipway.DeploymentID) *watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.watches[id]
	if w == nil {
		w = &watch{board: b, id: id, changed: make(chan struct{})}
		b.watches[id] = w
	}
	w.holders++
	return w
}

// Changed returns a channel that the next post for the deployment closes.
func (w *watch) Changed() <-chan struct{} {
	w.board.mu.Lock()
	defer w.board.mu.Unlock()
	return w.changed
}

func (w *watch) Leave() {
	w.board.mu.Lock()
	defer w.board.mu.Unlock()
	if w.holders--; w.holders == 0 {
		delete(w.board.watches, w.id)
	}
}
