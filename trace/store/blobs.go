package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// Blobs is where large values and attachments lie.
type Blobs interface {
	Write(ctx context.Context, folder string, r io.Reader) (size int64, digest string, err error)
	Open(ctx context.Context, folder, digest string) (io.ReadCloser, error)
	DeleteAll(ctx context.Context, folder string) error
	List(ctx context.Context, folder string) ([]string, error)
}

const (
	// maxInline is how large a value in a row may be, in bytes.
	maxInline = 256 << 10
	// blobFolder has a folder for each blob, named by a UUID that tells when it
	// was made: a blob belongs to one run, even if another has the same bytes.
	blobFolder = "traces"
	// orphanAfter is how old a blob is that no run has taken, at least: no
	// request lasts so long.
	orphanAfter = 24 * time.Hour
)

// Put reads a value for an operation: what is small is kept in memory, what is
// large goes compressed to a blob, byte for byte: text in it is not cleaned. What
// is larger than trace.MaxValue is an error for its sender. A value that no
// operation takes is to be discarded; if the process dies before, Retain sees to
// it.
func (s *Store) Put(ctx context.Context, r io.Reader) (trace.Content, error) {
	start, err := io.ReadAll(io.LimitReader(r, maxInline+1))
	if err != nil {
		return trace.Content{}, err
	}
	if len(start) <= maxInline {
		return trace.Inline(start), nil
	}
	return s.put(ctx, io.MultiReader(bytes.NewReader(start), r))
}

func (s *Store) putBytes(ctx context.Context, b []byte) (trace.Content, error) {
	return s.put(ctx, bytes.NewReader(b))
}

func (s *Store) put(ctx context.Context, r io.Reader) (trace.Content, error) {
	folder := path.Join(blobFolder, slipway.NewID[string](s.config.Now()))
	in, out := io.Pipe()
	var size int64
	go func() {
		var err error
		size, err = squeeze(out, r)
		out.CloseWithError(err)
	}()
	disk, digest, err := s.blobs.Write(ctx, folder, in)
	_ = in.CloseWithError(err)
	if err != nil {
		return trace.Content{}, errors.Join(err, s.blobs.DeleteAll(context.WithoutCancel(ctx), folder))
	}
	return trace.Content{Blob: path.Join(folder, digest), Size: size, Disk: disk}, nil
}

// squeeze compresses what it reads, and says how much that was.
func squeeze(w io.Writer, r io.Reader) (int64, error) {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return 0, err
	}
	size, err := io.Copy(z, io.LimitReader(r, trace.MaxValue+1))
	if err == nil && size > trace.MaxValue {
		err = slipway.Errorf(slipway.CodeTooLarge, "A value of a run has more than %d bytes, which is the most that is kept.", int64(trace.MaxValue))
	}
	return size, errors.Join(err, z.Close())
}

// Discard removes what Put has made.
func (s *Store) Discard(ctx context.Context, c trace.Content) error {
	if c.Blob == "" {
		return nil
	}
	return s.deleteBlob(ctx, c.Blob)
}

func (s *Store) deleteBlob(ctx context.Context, name string) error {
	return s.blobs.DeleteAll(ctx, path.Dir(name))
}

// Open reads a value, wherever it lies. The error is slipway.ErrNoRow if it was
// removed since its run was read.
func (s *Store) Open(ctx context.Context, c trace.Content) (io.ReadCloser, error) {
	if c.Blob == "" {
		return io.NopCloser(bytes.NewReader(c.Inline)), nil
	}
	folder, digest := path.Split(c.Blob)
	packed, err := s.blobs.Open(ctx, folder, digest)
	if errors.Is(err, fs.ErrNotExist) {
		err = slipway.ErrNoRow
	}
	if err != nil {
		return nil, fmt.Errorf("open value: %w", err)
	}
	z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, errors.Join(err, packed.Close())
	}
	return &unsqueezed{z, packed}, nil
}

// unsqueezed reads a blob.
type unsqueezed struct {
	*zstd.Decoder
	packed io.Closer
}

func (u *unsqueezed) Close() error {
	u.Decoder.Close()
	return u.packed.Close()
}

// sweep removes blobs that no run has, which a death before Write's end left.
func (s *Store) sweep(ctx context.Context) error {
	there, err := s.blobs.List(ctx, blobFolder)
	if err != nil {
		return err
	}
	before := slipway.NewID[string](s.config.Now().Add(-orphanAfter))[:13] // the time in it
	old := map[string]bool{}
	for _, name := range there {
		if name[:min(len(name), 13)] < before {
			old[name] = true
		}
	}
	if len(old) == 0 {
		return nil
	}
	days, err := s.engine.Days(ctx)
	if err != nil {
		return err
	}
	for _, k := range days {
		err := s.eachBlob(ctx, k.Date, func(name string, _ int64) {
			delete(old, strings.TrimPrefix(path.Dir(name), blobFolder+"/"))
		})
		if err != nil {
			return err
		}
	}
	var errs []error
	for name := range old {
		errs = append(errs, s.blobs.DeleteAll(ctx, path.Join(blobFolder, name)))
	}
	return errors.Join(errs...)
}

// eachBlob calls fn for the blobs of a day.
func (s *Store) eachBlob(ctx context.Context, d Date, fn func(name string, size int64)) error {
	return s.view(ctx, d, func(t *tx) error {
		return t.Query(queries["blobs"], [][]any{{int64(d)}}, func(_ int, scan func(...any) error) error {
			var name string
			var size int64
			err := scan(&name, &size)
			fn(name, size)
			return err
		})
	})
}
