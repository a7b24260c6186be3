package registry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"sync"
)

// An upload is the file of what has arrived of a blob. It knows nothing else:
// where to go on is its length, and what was sent is told by its digest at the
// end.
var uploadID = regexp.MustCompile(`^[A-Z2-7]{26}$`)

func newUploadID() string { return rand.Text() }

// writers are the uploads that somebody writes to: two at once would mix.
type writers struct {
	mu   sync.Mutex
	busy map[string]bool
}

func (w *writers) take(upload string) (release func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy[upload] {
		return nil, refuse(http.StatusConflict, "BLOB_UPLOAD_INVALID", "Another request is writing to this upload.")
	}
	w.busy[upload] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.busy, upload)
	}, nil
}

// writes says whether somebody writes to an upload.
func (w *writers) writes(upload string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy[upload]
}

// begin makes an upload.
func (r repository) begin() (id string, err error) {
	if err := r.disk.makeFolder(path.Join(r.folder, "uploads")); err != nil {
		return "", err
	}
	if err := r.disk.next(); err != nil {
		return "", err
	}
	id = newUploadID()
	if err := r.disk.root.WriteFile(r.upload(id), nil, 0o600); err != nil {
		return "", fmt.Errorf("make upload: %w", err)
	}
	return id, nil
}

func noSuchUpload() error {
	return refuse(http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "There is no such upload: it is complete, was too old, or never began. Begin another.")
}

// arrived is how many bytes of an upload have.
func (r repository) arrived(id string) (int64, error) {
	if !uploadID.MatchString(id) {
		return 0, noSuchUpload()
	}
	info, err := r.disk.root.Lstat(r.upload(id))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, noSuchUpload()
	}
	if err != nil {
		return 0, fmt.Errorf("look at upload: %w", err)
	}
	return info.Size(), nil
}

// chunk is what a request brings of a blob.
type chunk struct {
	body   io.Reader
	start  int64 // where it belongs; -1 for where the last one ended
	length int64 // how long it is; -1 if that is not known
}

// receive adds a chunk to an upload and returns how much there is now. What
// arrived of a chunk that was cut stays: its sender can go on from there.
func (r repository) receive(id string, c chunk) (size int64, err error) {
	if size, err = r.arrived(id); err != nil {
		return 0, err
	}
	switch {
	case c.start >= 0 && c.start != size:
		return size, errOutOfOrder
	case size+max(c.length, 0) > r.config.MaxBlob:
		return size, r.tooLarge()
	}
	if err := r.disk.next(); err != nil {
		return size, err
	}
	f, err := r.disk.root.OpenFile(r.upload(id), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return size, fmt.Errorf("open upload: %w", err)
	}
	defer f.Close()
	n, err := io.Copy(f, io.LimitReader(c.body, r.config.MaxBlob-size+1))
	switch {
	case size+n > r.config.MaxBlob:
		return size, errors.Join(r.tooLarge(), f.Truncate(size))
	case err == nil && c.length >= 0 && n != c.length:
		return size, errors.Join(errOutOfOrder, f.Truncate(size))
	}
	return size + n, err
}

var errOutOfOrder = refuse(http.StatusRequestedRangeNotSatisfiable, "RANGE_INVALID", "The chunk does not begin where the upload ends, or is not as long as it says.")

func (r repository) tooLarge() error {
	return refuse(http.StatusRequestEntityTooLarge, "SIZE_INVALID", "A layer may have at most %d bytes on this server.", r.config.MaxBlob)
}

// commit makes an upload a blob, if it is what its digest says. If not, it is
// of no use to anybody and goes.
func (r repository) commit(ctx context.Context, id, digest string) error {
	sum, err := r.sum(ctx, id)
	if err != nil {
		return err
	}
	if sum != hexOf(digest) {
		return errors.Join(refuse(http.StatusBadRequest, "DIGEST_INVALID", "What arrived has the digest sha256:%s.", sum), r.disk.remove(r.upload(id)))
	}
	return r.adopt(r.upload(id), sum)
}

// sum hashes what has arrived, as it lies on the disk.
func (r repository) sum(ctx context.Context, id string) (string, error) {
	if _, err := r.arrived(id); err != nil {
		return "", err
	}
	f, err := r.disk.root.Open(r.upload(id))
	if err != nil {
		return "", fmt.Errorf("open upload: %w", err)
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, while{ctx, f}); err != nil {
		return "", fmt.Errorf("read upload: %w", err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// while reads as long as a context lasts.
type while struct {
	ctx context.Context
	r   io.Reader
}

func (w while) Read(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	return w.r.Read(p)
}
