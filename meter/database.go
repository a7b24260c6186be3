package meter

import (
	"context"
	"log/slog"
	"time"

	"github.com/slipwayhq/slipway"
)

// databaseEvery is how often a database is measured: seldom, since its server does
// so by a look at every file.
const databaseEvery = time.Minute

// Databases measures databases and holds them to what they may have.
type Databases interface {
	// Enforce measures one. One that is too large takes no changes from then on,
	// until it is not.
	Enforce(ctx context.Context, d slipway.DeploymentID) (slipway.DatabaseUsage, error)
}

// database measures that of a deployment, if it has one and it is time. The next
// samples tell of it. What is not told is tried again in a while.
func (m *Meter) database(ctx context.Context, w *deployment) {
	w.mu.Lock()
	has := !w.row.ProvidedAt.IsZero()
	w.mu.Unlock()
	now := time.Now()
	if m.config.Databases == nil || !has || now.Sub(w.measured) < databaseEvery {
		return
	}
	w.measured, w.usage = now, nil
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	u, err := m.config.Databases.Enforce(ctx, w.id)
	if err != nil {
		return // whoever needs it says so
	}
	if u.Full != w.full {
		m.config.Logger.Warn("database is larger than it may be, or is not any more", slog.String("deployment", string(w.id)),
			slog.Bool("takes_changes", !u.Full), slog.Int64("bytes", u.Bytes))
	}
	w.usage, w.full = &u, u.Full
}
