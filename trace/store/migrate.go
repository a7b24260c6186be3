package store

import (
	"fmt"
	"io/fs"
)

// Steps are the migrations of an engine: files in a folder "migrations", in their
// order, of which each goes one version further.
func Steps(files fs.FS) ([]string, error) {
	names, err := fs.Glob(files, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	steps := make([]string, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		steps[i] = string(text)
	}
	return steps, nil
}

// CheckSchema refuses a schema of which only a newer Slipway knows.
func CheckSchema(has, knows int) error {
	if has > knows {
		return fmt.Errorf("%w (schema %d, this one knows %d): install that version, or restore a backup from before the upgrade", ErrNewer, has, knows)
	}
	return nil
}
