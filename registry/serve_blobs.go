package registry

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func (v visitor) getBlob() error {
	f, err := v.openBlob(v.target.at)
	if err != nil {
		return err
	}
	defer f.Close()
	h := v.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Docker-Content-Digest", v.target.at)
	h.Set("ETag", `"`+v.target.at+`"`)
	http.ServeContent(v.w, v.q, "", time.Time{}, f)
	return nil
}

// beginUpload begins an upload. With a digest it is all of a blob at once; with
// mount it takes a blob of another repository of the deployment, or begins an
// upload where there is none.
func (v visitor) beginUpload() error {
	query := v.q.URL.Query()
	mounted, err := v.tryMount(query.Get("mount"), query.Get("from"))
	if err != nil || mounted {
		return err
	}
	digest := query.Get("digest")
	if digest != "" && !digestText.MatchString(digest) {
		return refuse(http.StatusBadRequest, "DIGEST_INVALID", "%q is no SHA-256 digest.", digest)
	}
	if err := v.config.Room(); err != nil {
		return refuse(http.StatusInsufficientStorage, "UNKNOWN", "%v", err)
	}
	id, err := v.begin()
	if err != nil {
		return err
	}
	if digest == "" {
		v.answerUpload(http.StatusAccepted, id, 0)
		return nil
	}
	if err := v.finish(id, digest); err != nil {
		_ = v.disk.remove(v.upload(id)) // its name is told to nobody; else the sweep takes it
		return err
	}
	return nil
}

// tryMount answers if there is something to mount. Of what belongs to another
// deployment there never is.
func (v visitor) tryMount(digest, from string) (bool, error) {
	source, ok := parseName(from)
	if !ok || source.deployment != v.grant.deployment || !digestText.MatchString(digest) {
		return false, nil
	}
	mounted, err := v.mount(source, digest)
	if mounted {
		v.answerBlob(digest)
	}
	return mounted, err
}

func (v visitor) getUpload() error {
	size, err := v.arrived(v.target.at)
	if err != nil {
		return err
	}
	v.answerUpload(http.StatusNoContent, v.target.at, size)
	return nil
}

func (v visitor) patchUpload() error {
	release, err := v.writers.take(v.upload(v.target.at))
	if err != nil {
		return err
	}
	defer release()
	size, err := v.receiveBody(v.target.at)
	if err != nil {
		return err
	}
	v.answerUpload(http.StatusAccepted, v.target.at, size)
	return nil
}

func (v visitor) putUpload() error {
	digest := v.q.URL.Query().Get("digest")
	if !digestText.MatchString(digest) {
		return refuse(http.StatusBadRequest, "DIGEST_INVALID", "%q is no SHA-256 digest.", digest)
	}
	return v.finish(v.target.at, digest)
}

// finish receives the last of an upload and makes it a blob.
func (v visitor) finish(id, digest string) error {
	release, err := v.writers.take(v.upload(id))
	if err != nil {
		return err
	}
	defer release()
	if _, err := v.receiveBody(id); err != nil {
		return err
	}
	if err := v.commit(v.q.Context(), id, digest); err != nil {
		return err
	}
	v.answerBlob(digest)
	return nil
}

func (v visitor) cancelUpload() error {
	release, err := v.writers.take(v.upload(v.target.at))
	if err != nil {
		return err
	}
	defer release()
	if _, err := v.arrived(v.target.at); err != nil {
		return err
	}
	if err := v.disk.remove(v.upload(v.target.at)); err != nil {
		return err
	}
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}

// receiveBody adds the body of a request to an upload. One that can not go on
// there is told where the upload ends.
func (v visitor) receiveBody(id string) (int64, error) {
	c, err := chunkOf(v.q)
	if err != nil {
		return 0, err
	}
	size, err := v.receive(id, c)
	if errors.Is(err, errOutOfOrder) {
		v.locateUpload(id, size)
	}
	return size, err
}

// chunkOf reads where a request's body belongs: Content-Range is first-last.
func chunkOf(q *http.Request) (chunk, error) {
	c := chunk{q.Body, -1, q.ContentLength}
	given := q.Header.Get("Content-Range")
	if given == "" {
		return c, nil
	}
	first, last, _ := strings.Cut(given, "-")
	start, err1 := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	if err1 != nil || err2 != nil || start < 0 || end < start-1 {
		return c, refuse(http.StatusRequestedRangeNotSatisfiable, "RANGE_INVALID", "Content-Range %q is not <first>-<last>.", given)
	}
	if length := end - start + 1; c.length >= 0 && c.length != length {
		return c, refuse(http.StatusRequestedRangeNotSatisfiable, "RANGE_INVALID", "Content-Range %q is %d bytes, and the body has %d.", given, length, c.length)
	}
	c.start, c.length = start, end-start+1
	return c, nil
}

func (v visitor) answerBlob(digest string) {
	v.w.Header().Set("Location", root+v.target.name.String()+"/blobs/"+digest)
	v.w.Header().Set("Docker-Content-Digest", digest)
	v.w.WriteHeader(http.StatusCreated)
}

func (v visitor) answerUpload(status int, id string, size int64) {
	v.locateUpload(id, size)
	v.w.WriteHeader(status)
}

// locateUpload says where an upload goes on.
func (v visitor) locateUpload(id string, size int64) {
	h := v.w.Header()
	h.Set("Location", root+v.target.name.String()+"/blobs/uploads/"+id)
	h.Set("Docker-Upload-UUID", id)
	h.Set("Range", fmt.Sprintf("0-%d", max(size-1, 0)))
}
