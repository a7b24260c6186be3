// Package keylock locks by name: one holder for each key at a time.
package keylock

import (
	"context"
	"sync"
)

// Locks is a set of named locks. The zero value is ready.
type Locks struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	free  chan struct{} // holds one token while nobody has the lock
	users int           // holder and those that wait
}

// Lock waits for the key. Waiting is called before, and only if it must wait;
// it may be nil.
func (l *Locks) Lock(ctx context.Context, key string, waiting func()) (unlock func(), err error) {
	k := l.enter(key)
	select {
	case <-k.free:
		return func() { l.release(key, k) }, nil
	default:
	}
	if waiting != nil {
		waiting()
	}
	select {
	case <-k.free:
		return func() { l.release(key, k) }, nil
	case <-ctx.Done():
		l.leave(key, k)
		return nil, ctx.Err()
	}
}

func (l *Locks) enter(key string) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.held[key]
	if k == nil {
		k = &lock{free: make(chan struct{}, 1)}
		k.free <- struct{}{}
		if l.held == nil {
			l.held = map[string]*lock{}
		}
		l.held[key] = k
	}
	k.users++
	return k
}

func (l *Locks) release(key string, k *lock) {
	k.free <- struct{}{}
	l.leave(key, k)
}

func (l *Locks) leave(key string, k *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.users--; k.users == 0 {
		delete(l.held, key)
	}
}
