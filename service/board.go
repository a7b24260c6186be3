package service

import (
	"sync"

	"github.com/slipwayhq/slipway"
)

// board tells those who wait in this process that a deployment changed. It only
// wakes: who is woken reads the rows, and who was not looks again in time.
type board struct {
	mu      sync.Mutex
	any     chan struct{}
	dying   chan struct{}
	watches map[slipway.DeploymentID]*watch
}

// watch is what those who wait for one deployment share.
type watch struct {
	board   *board
	id      slipway.DeploymentID
	changed chan struct{}
	holders int
}

func newBoard() *board {
	return &board{any: make(chan struct{}), dying: make(chan struct{}), watches: map[slipway.DeploymentID]*watch{}}
}

// Post wakes those who wait for the deployment, and those who wait for any.
func (b *board) Post(id slipway.DeploymentID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.any)
	b.any = make(chan struct{})
	if w := b.watches[id]; w != nil {
		close(w.changed)
		w.changed = make(chan struct{})
	}
}

// Any returns a channel that the next post closes.
func (b *board) Any() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.any
}

// PostDying wakes those who finish and purge deletions.
func (b *board) PostDying() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.dying)
	b.dying = make(chan struct{})
}

// Dying returns a channel that the next PostDying closes.
func (b *board) Dying() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dying
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
