package snapshot

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipwayhq/slipway"
)

// Entries of an archive. The label comes first, the state last.
const (
	labelEntry     = "snapshot.json"
	databaseEntry  = "database.dump"
	stateEntry     = "state/"
	containedEntry = "containers/" // the state of containers is below
)

// labelled is what the first entry says.
type labelled struct {
	Deployment slipway.DeploymentID `json:"deployment"`
	Name       string               `json:"name"`
	Kind       string               `json:"kind"` // of agent
	Contained  bool                 `json:"contained"`
}

func label(archive *tar.Writer, d slipway.Deployment, last *slipway.Revision) error {
	l := labelled{Deployment: d.ID, Name: d.Name}
	if last != nil {
		l.Kind, l.Contained = last.Artefact.Kind, last.Artefact.Image != ""
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	err = archive.WriteHeader(&tar.Header{Name: labelEntry, Mode: 0o600, Size: int64(len(text)), ModTime: d.Deletion.At})
	if err == nil {
		_, err = archive.Write(text)
	}
	return errors.Join(err, archive.Flush())
}

// Look reads a snapshot from one end to the other, and says what it is of and
// holds. A *slipway.Failure says that it is none, or damaged.
func (f *Folder) Look(ctx context.Context, path string) (c slipway.SnapshotContents, err error) {
	var l labelled
	err = f.read(ctx, path, func(archive *tar.Reader, content io.Reader) error {
		if l, err = readLabel(archive); err != nil {
			return err
		}
		part := stateEntry
		if l.Contained {
			part = containedEntry + stateEntry
		}
		for {
			entry, err := archive.Next()
			if errors.Is(err, io.EOF) {
				_, err = io.Copy(io.Discard, content) // its checksum comes last
				return err
			}
			if err != nil {
				return err
			}
			c.Database = c.Database || entry.Name == databaseEntry
			c.State = c.State || strings.HasPrefix(entry.Name, part)
			if _, err := io.Copy(io.Discard, archive); err != nil {
				return err
			}
		}
	})
	c.Deployment, c.Kind, c.Contained = l.Deployment, l.Kind, l.Contained
	return c, err
}

// Database has the dump in a snapshot be read.
func (f *Folder) Database(ctx context.Context, path string, do func(io.Reader) error) error {
	return f.read(ctx, path, func(archive *tar.Reader, _ io.Reader) error {
		for {
			entry, err := archive.Next()
			if errors.Is(err, io.EOF) {
				return refused("snapshot_damaged", "it holds no database", wholeCopy)
			}
			if err != nil {
				return err
			}
			if entry.Name == databaseEntry {
				return do(archive)
			}
		}
	})
}

// State has the state in a snapshot be read, of what ran as containers or not, as
// an archive like that which an Exporter wrote.
func (f *Folder) State(ctx context.Context, path string, contained bool, do func(io.Reader) error) error {
	return f.read(ctx, path, func(archive *tar.Reader, _ io.Reader) error {
		read, write := io.Pipe()
		done := make(chan error, 1)
		go func() {
			err := part(archive, contained, write)
			write.CloseWithError(err)
			done <- err
		}()
		err := do(read)
		read.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // else who writes would wait for ever
		if wrote := <-done; err == nil && !errors.Is(wrote, io.ErrClosedPipe) {
			err = wrote
		}
		return err
	})
}

// part writes the entries of a state.
func part(archive *tar.Reader, contained bool, w io.Writer) error {
	to := tar.NewWriter(w)
	for {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return to.Close()
		}
		if err != nil {
			return err
		}
		name, below := strings.CutPrefix(entry.Name, containedEntry)
		if below != contained || !strings.HasPrefix(name, stateEntry) {
			continue
		}
		if entry.Typeflag == tar.TypeLink {
			entry.Linkname = strings.TrimPrefix(entry.Linkname, containedEntry)
		}
		entry.Name = name
		if err := to.WriteHeader(entry); err != nil {
			return err
		}
		if _, err := io.Copy(to, archive); err != nil {
			return err
		}
	}
}

// readLabel reads the first entry.
func readLabel(archive *tar.Reader) (l labelled, err error) {
	entry, err := archive.Next()
	if errors.Is(err, io.EOF) || err == nil && entry.Name != labelEntry {
		return l, refused("snapshot_unlabelled", "it does not say of which kind of agent it is: it was kept by an earlier version, or is none",
			"Bring it back by hand, as docs/leftovers.md tells.")
	}
	if err != nil {
		return l, err
	}
	return l, json.NewDecoder(archive).Decode(&l)
}

// read opens a snapshot that Keep returned, wherever the folder is now.
func (f *Folder) read(ctx context.Context, path string, do func(archive *tar.Reader, content io.Reader) error) error {
	path = filepath.Join(f.path, filepath.Base(path))
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return refused("snapshot_missing", "there is no "+path, "Put it back into the folder of --final-snapshots.")
	}
	if err != nil {
		return fmt.Errorf("open final snapshot: %w", err)
	}
	defer file.Close()
	content := &remembering{r: mortal{ctx, file}}
	if content.r, err = gzip.NewReader(content.r); err == nil {
		err = do(tar.NewReader(content), content)
	} else {
		content.err = err
	}
	if err != nil && ctx.Err() == nil && (content.err != nil || errors.Is(err, tar.ErrHeader)) {
		return refused("snapshot_damaged", fmt.Sprintf("%s can not be read: %v", path, cmp.Or(content.err, err)), wholeCopy)
	}
	return err
}

const wholeCopy = "Put a copy of it that is whole in its place."

// remembering tells what is wrong with what it reads from what is wrong with whoever
// reads it.
type remembering struct {
	r   io.Reader
	err error
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

func refused(code, why, hint string) *slipway.Failure {
	return &slipway.Failure{Phase: slipway.PhaseServe, Step: "snapshot", Code: code, Message: "The snapshot can not be restored: " + why + ".", Hint: hint}
}

// mortal reads until ctx ends.
type mortal struct {
	ctx context.Context
	r   io.Reader
}

func (m mortal) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	return m.r.Read(p)
}
