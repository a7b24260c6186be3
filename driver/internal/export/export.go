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
	return add(to, from, func(name string) (string, bool) { return path.Join(below, inside(name)), true })
}

// Unwrap adds the entries of a state that was exported to another archive, without
// the folder that holds them.
func Unwrap(to *tar.Writer, from io.Reader) error { return add(to, from, Inside) }

// add adds those entries of an archive that get a name in the other one.
func add(to *tar.Writer, from io.Reader, rename func(string) (string, bool)) error {
	entries := tar.NewReader(from)
	for {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		name, wanted := rename(entry.Name)
		if !wanted {
			continue
		}
		if entry.Typeflag == tar.TypeDir {
			name += "/"
		}
		if entry.Typeflag == tar.TypeLink {
			entry.Linkname, _ = rename(entry.Linkname)
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

// Inside is the name within a state of an entry of an archive, "." for the state
// itself; false for what is not of the state.
func Inside(entry string) (name string, within bool) {
	name, within = strings.CutPrefix(inside(entry), Root)
	if name != "" && name[0] != '/' {
		return "", false // a neighbour that is called alike
	}
	return path.Clean(strings.TrimPrefix(name, "/")), within
}

// inside is a name that leads nowhere out of its folder.
func inside(name string) string { return strings.TrimPrefix(path.Join("/", name), "/") }
