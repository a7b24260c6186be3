package certificate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/caddyserver/certmagic"
)

// Folder is where an Authority keeps what it got. It can be looked at and cleared
// whether one is open on it or not.
type Folder struct{ storage *certmagic.FileStorage }

// FolderAt is the folder of a Config's Dir, which need not be there.
func FolderAt(dir string) Folder { return Folder{&certmagic.FileStorage{Path: dir}} }

// Names lists the names of which there is a certificate, or its key.
func (f Folder) Names(ctx context.Context) ([]string, error) {
	sites, err := f.sites(ctx)
	if err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	names := make([]string, len(sites))
	for i, site := range sites {
		names[i] = path.Base(site)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Remove removes the certificates of a name, of every authority, with their keys
// and what was said of their validity. Again it does nothing. An Authority that is
// open remembers them: see Forget.
func (f Folder) Remove(ctx context.Context, name string) error {
	safe := certmagic.StorageKeys.Safe(name)
	sites, err := f.sites(ctx)
	if err != nil {
		return fmt.Errorf("remove certificate of %s: %w", name, err)
	}
	sites = slices.DeleteFunc(sites, func(key string) bool { return path.Base(key) != safe })
	staples, err := f.list(ctx, "ocsp")
	for _, key := range staples {
		if strings.HasPrefix(path.Base(key), safe+"-") {
			sites = append(sites, key)
		}
	}
	for _, key := range sites {
		err = errors.Join(err, f.storage.Delete(ctx, key))
	}
	if err != nil {
		return fmt.Errorf("remove certificate of %s: %w", name, err)
	}
	return nil
}

// sites are the keys of names, each below that of its authority.
func (f Folder) sites(ctx context.Context) (keys []string, err error) {
	authorities, err := f.list(ctx, path.Dir(certmagic.StorageKeys.CertsPrefix("any")))
	for _, a := range authorities {
		of, failed := f.list(ctx, a)
		keys, err = append(keys, of...), errors.Join(err, failed)
	}
	return keys, err
}

func (f Folder) list(ctx context.Context, prefix string) ([]string, error) {
	keys, err := f.storage.List(ctx, prefix, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return keys, err
}
