package access

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	// freshFor is how long a verdict is remembered. Several servers may share a
	// database: what one of them revokes, the others honour after this time.
	freshFor = 2 * time.Second
	// maxRemembered bounds what is remembered, in credentials.
	maxRemembered = 4096
)

// hash is what is remembered of a credential.
type hash struct {
	token  [sha256.Size]byte
	bearer bool
}

func hashOf(c slipway.Credential) hash {
	return hash{sha256.Sum256([]byte(c.Token)), c.Bearer}
}

// memory holds for a moment who presented a credential, and which workspaces
// there are. Only what was found is remembered: a guess leaves no trace.
//
// Within this process it is exact. Who changes a key or a workspace calls forget
// after the commit and before it answers. A reader that looked before that
// commit can not bring its finding in afterwards: it has taken the epoch before
// it looked, and forget has begun another.
type memory struct {
	mu         sync.Mutex
	epoch      int64
	identities *recent[hash, remembered[slipway.Identity]]
	workspaces *recent[slipway.WorkspaceID, remembered[slipway.Workspace]]
}

type remembered[T any] struct {
	value T
	until time.Time
}

func newMemory() *memory {
	return &memory{
		identities: newRecent[hash, remembered[slipway.Identity]](maxRemembered / 2),
		workspaces: newRecent[slipway.WorkspaceID, remembered[slipway.Workspace]](maxRemembered / 2),
	}
}

// forget makes every question be asked anew.
func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.epoch++
	m.identities.clear()
	m.workspaces.clear()
}

// recall is what a memory knows at a time.
type recall[T any] struct {
	value T
	fresh bool  // the value is good
	known bool  // it was once
	epoch int64 // to remember under
}

func (m *memory) identity(h hash, now time.Time) recall[slipway.Identity] {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, known := m.identities.get(h)
	return recall[slipway.Identity]{r.value, known && now.Before(r.until), known, m.epoch}
}

// keepIdentity remembers an identity, and no longer than it lasts.
func (m *memory) keepIdentity(h hash, i slipway.Identity, epoch int64, now time.Time) {
	until := now.Add(freshFor)
	if !i.Until.IsZero() && i.Until.Before(until) {
		until = i.Until
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch == epoch {
		m.identities.put(h, remembered[slipway.Identity]{i, until})
	}
}

func (m *memory) dropIdentity(h hash) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.identities.drop(h)
}

func (m *memory) workspace(id slipway.WorkspaceID, now time.Time) recall[slipway.Workspace] {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, known := m.workspaces.get(id)
	return recall[slipway.Workspace]{r.value, known && now.Before(r.until), known, m.epoch}
}

func (m *memory) keepWorkspace(w slipway.Workspace, epoch int64, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.epoch == epoch {
		m.workspaces.put(w.ID, remembered[slipway.Workspace]{w, now.Add(freshFor)})
	}
}
