package build

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/internal/durable"
)

// unusedFor is how long dependencies are kept that no bundle names: longer than
// any build takes that may be about to, and long enough to come back to them.
const unusedFor = 24 * time.Hour

// removeUnused takes away dependencies that no bundle has any more. What a
// bundle of an older version uses is not known: then nothing goes.
func (b *Builder) removeUnused(now time.Time) error {
	used, known, err := b.usedDependencies()
	if err != nil || !known {
		return err
	}
	dir := filepath.Join(b.cache, kind.Dependencies)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		info, infoErr := entry.Info()
		if infoErr != nil || used[entry.Name()] || now.Sub(info.ModTime()) < unusedFor {
			continue
		}
		err = errors.Join(err, durable.Remove(filepath.Join(dir, entry.Name()), b.tmp))
	}
	return err
}

func (b *Builder) usedDependencies() (used map[string]bool, known bool, err error) {
	digests, err := b.List()
	used, known = map[string]bool{}, true
	for _, digest := range digests {
		a, readErr := b.read(digest)
		if errors.Is(readErr, os.ErrNotExist) {
			continue // removed meanwhile
		}
		name, says := a.Runtime[kind.RuntimeDependencies]
		used[name], known, err = true, known && says, errors.Join(err, readErr)
	}
	return used, known, err
}
