// Package blob keeps uploaded bytes under their digest. Here they lie in a folder
// of this machine; an object store is another implementation of the same
// methods.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slipwayhq/slipway/internal/removal"
)

// incoming holds what is being received. It is cleared at every start.
const incoming = "incoming"

// Folder keeps bytes below a folder of this machine; it can not be led out of
// it.
type Folder struct{ root *os.Root }

// OpenFolder makes the folder where there is none.
func OpenFolder(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make blob folder: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open blob folder: %w", err)
	}
	if err := errors.Join(root.RemoveAll(incoming), root.Mkdir(incoming, 0o700)); err != nil {
		return nil, errors.Join(fmt.Errorf("clear incoming blobs: %w", err), root.Close())
	}
	return &Folder{root}, nil
}

// Close ends the use of the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Write stores what it reads below a folder, under its SHA-256 in hex. Nothing
// is stored unless all of it was read.
func (f *Folder) Write(_ context.Context, folder string, r io.Reader) (size int64, digest string, err error) {
	temp, err := os.CreateTemp(filepath.Join(f.root.Name(), incoming), "blob-*")
	if err != nil {
		return 0, "", fmt.Errorf("receive blob: %w", err)
	}
	defer os.Remove(temp.Name())
	hash := sha256.New()
	if size, err = io.Copy(io.MultiWriter(temp, hash), r); err != nil {
		return 0, "", errors.Join(err, temp.Close())
	}
	if err := errors.Join(temp.Sync(), temp.Close()); err != nil {
		return 0, "", fmt.Errorf("receive blob: %w", err)
	}
	digest = hex.EncodeToString(hash.Sum(nil))
	return size, digest, f.place(filepath.Join(incoming, filepath.Base(temp.Name())), folder, digest)
}

// place gives a received file its name, durably.
func (f *Folder) place(temp, folder, digest string) error {
	if err := f.root.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make folder of blob: %w", err)
	}
	if err := f.root.Rename(temp, filepath.Join(folder, digest)); err != nil {
		return fmt.Errorf("name blob: %w", err)
	}
	dir, err := f.root.Open(folder)
	if err != nil {
		return fmt.Errorf("open folder of blob: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("write folder of blob: %w", err)
	}
	return nil
}

// Open reads what Write stored.
func (f *Folder) Open(_ context.Context, folder, digest string) (io.ReadCloser, error) {
	file, err := f.root.Open(filepath.Join(folder, digest))
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	return file, nil
}

// Delete removes what Write stored; what is not there is removed already.
func (f *Folder) Delete(_ context.Context, folder, digest string) error {
	if err := f.root.Remove(filepath.Join(folder, digest)); err != nil && !removal.Absent(err) {
		return fmt.Errorf("delete blob: %w", removal.Explain(err))
	}
	return nil
}

// DeleteAll removes a folder, and returns when it has seen that it is gone; one
// that is not there is removed already.
func (f *Folder) DeleteAll(_ context.Context, folder string) error {
	if err := removal.Unmounted(filepath.Join(f.root.Name(), folder)); err != nil {
		return fmt.Errorf("delete blobs: %w", err)
	}
	if err := f.root.RemoveAll(folder); err != nil && !removal.Absent(err) {
		return fmt.Errorf("delete blobs: %w", removal.Explain(err))
	}
	if _, err := f.root.Lstat(folder); !removal.Absent(err) {
		return fmt.Errorf("delete blobs: %s is there again", folder)
	}
	return nil
}

// List names what lies in a folder, folders and blobs; what is none, or not there,
// has nothing.
func (f *Folder) List(_ context.Context, folder string) ([]string, error) {
	entries, err := fs.ReadDir(f.root.FS(), folder)
	if err != nil && !removal.Absent(err) {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	names := make([]string, len(entries))
	for n, entry := range entries {
		names[n] = entry.Name()
	}
	return names, nil
}
