package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/slipwayhq/slipway"
)

// vault keeps the last states of what was deleted in a folder, an archive each.
type vault struct{ folder string }

// Store implements reconcile.Vault.
func (v vault) Store(d slipway.Deployment, write func(io.Writer) error) (string, error) {
	if err := os.MkdirAll(v.folder, 0o700); err != nil {
		return "", fmt.Errorf("make folder of last states: %w", err)
	}
	temp, err := os.CreateTemp(v.folder, ".storing-*")
	if err != nil {
		return "", fmt.Errorf("store last state: %w", err)
	}
	defer os.Remove(temp.Name())
	if err := errors.Join(write(temp), temp.Sync(), temp.Close()); err != nil {
		return "", err
	}
	path := filepath.Join(v.folder, fmt.Sprintf("%s-%s.tar", d.Name, d.ID))
	if err := os.Rename(temp.Name(), path); err != nil {
		return "", fmt.Errorf("name last state: %w", err)
	}
	return path, v.sync()
}

// sync has the name of what was stored be on the disk.
func (v vault) sync() error {
	folder, err := os.Open(v.folder)
	if err != nil {
		return fmt.Errorf("open folder of last states: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}
