// Package export shapes the archives that drivers make of states: all have the
// same layout, wherever a state was kept.
package export

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Root is the folder of an archive that holds the state.
const Root = "state"

// Copy adds the entries of an archive to another one, below a folder.
func Copy(to *tar.Writer, from io.Reader, below string) error {
	entries := tar.NewReader(from)
	for {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		name := path.Join(below, inside(entry.Name))
		if entry.Typeflag == tar.TypeDir {
			name += "/"
		}
		if entry.Typeflag == tar.TypeLink {
			entry.Linkname = path.Join(below, inside(entry.Linkname))
		}
		entry.Name, entry.Format = name, tar.FormatPAX
		if err := to.WriteHeader(entry); err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
		if _, err := io.Copy(to, entries); err != nil {
			return fmt.Errorf("copy archive: %w", err)
		}
	}
}

// inside is a name that leads nowhere out of its folder.
func inside(name string) string { return strings.TrimPrefix(path.Join("/", name), "/") }
