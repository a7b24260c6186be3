package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/slipwayhq/slipway"
)

// NewUpload makes a place for one source tarball (contract §5).
func (s *Service) NewUpload(ctx context.Context, who slipway.Principal, id slipway.DeploymentID) (slipway.Upload, error) {
	var u slipway.Upload
	if err := s.config.Room(); err != nil {
		return u, err
	}
	err := s.once(ctx, who, func(c *change) (string, error) {
		if _, err := c.live(who, id); err != nil {
			return "", err
		}
		u = slipway.Upload{ID: slipway.NewID[slipway.UploadID](c.now), Deployment: id, CreatedAt: c.now, ExpiresAt: c.now.Add(s.config.UploadFor)}
		u.Object = uploadFolder(id) + "/" + string(u.ID) + ".tar.gz"
		if err := c.AddItem(slipway.Item{Deployment: id, Kind: slipway.ItemUpload, Ref: u.Object, CreatedAt: c.now}); err != nil {
			return "", fmt.Errorf("write inventory: %w", err)
		}
		return string(u.ID), c.InsertUpload(u)
	}, func(c *change, again string) (err error) {
		u, err = c.prolong(who, id, slipway.UploadID(again))
		return err
	})
	return u, wrap("make upload", err)
}

// prolong gives an upload that was handed out before its whole time anew.
func (c *change) prolong(who slipway.Principal, d slipway.DeploymentID, id slipway.UploadID) (slipway.Upload, error) {
	if _, err := c.live(who, d); err != nil {
		return slipway.Upload{}, err
	}
	u, err := c.Upload(id)
	if err != nil {
		return u, err
	}
	u.ExpiresAt = c.now.Add(c.service.config.UploadFor)
	return u, c.UpdateUpload(u)
}

// ReceiveUpload stores the bytes of an upload, which has not been filled yet
// and whose deployment still lives. Whoever calls it has checked the address.
func (s *Service) ReceiveUpload(ctx context.Context, id slipway.UploadID, body io.Reader) error {
	u, err := s.openUpload(ctx, id)
	if err == nil {
		err = s.config.Room()
	}
	if err != nil {
		return wrap("receive upload", err)
	}
	s.receiving.RLock()
	defer s.receiving.RUnlock()
	body, tree := s.watchTree(&limited{r: body, left: slipway.MaxUpload})
	size, digest, err := s.blobs.Write(ctx, uploadFolder(u.Deployment), body)
	files := tree()
	if err != nil {
		return wrap("store upload", err)
	}
	err = s.change(ctx, func(c *change) error {
		if err := c.fillable(u.ID, &u); err != nil {
			return err
		}
		u.Size, u.Digest, u.Tree = size, digest, files
		return c.UpdateUpload(u)
	})
	if err != nil { // perhaps it was deleted meanwhile, and whoever sent it may have left
		err = errors.Join(err, s.dropLate(context.WithoutCancel(ctx), u.Deployment))
	}
	return wrap("complete upload", err)
}

// dropLate removes what arrived for a deployment of which nothing is to be left. Of
// any other nothing is removed: all of it goes with the rest. Who dies before
// leaves what the scan for leftovers finds.
func (s *Service) dropLate(ctx context.Context, id slipway.DeploymentID) error {
	kept := false
	err := s.read(ctx, func(c *change) error {
		d, err := c.Deployment(id)
		kept = err == nil && !d.Deletion.Purge
		return ignoreGone(err)
	})
	if err == nil && !kept {
		err = s.blobs.DeleteAll(ctx, uploadFolder(id))
	}
	return wrap("remove upload of a deleted deployment", err)
}

// watchTree computes the digest of the files in a tarball while it is read. The
// digest is there once reading has ended: "" for what is no tarball that can be
// built, which the build will explain.
func (s *Service) watchTree(body io.Reader) (same io.Reader, tree func() string) {
	if s.config.Tree == nil {
		return body, func() string { return "" }
	}
	from, to := io.Pipe()
	digest := make(chan string, 1)
	go func() {
		tree, err := s.config.Tree(from)
		if err != nil {
			tree = ""
		}
		_, _ = io.Copy(io.Discard, from) // what it did not want
		digest <- tree
	}()
	return io.TeeReader(body, to), func() string {
		to.Close()
		return <-digest
	}
}

// uploads is where the folders of deployments lie.
const uploads = "uploads"

func uploadFolder(d slipway.DeploymentID) string { return uploads + "/" + string(d) }

func (s *Service) openUpload(ctx context.Context, id slipway.UploadID) (u slipway.Upload, err error) {
	err = s.read(ctx, func(c *change) error { return c.fillable(id, &u) })
	return u, err
}

// fillable reads an upload that may still be filled.
func (c *change) fillable(id slipway.UploadID, u *slipway.Upload) error {
	found, err := c.Upload(id)
	if err != nil && !errors.Is(err, slipway.ErrNoRow) {
		return err
	}
	gone := slipway.Errorf(slipway.CodeNotFound, "Upload not found. Ask for a new upload URL.")
	if err != nil {
		return gone
	}
	if d, err := c.Deployment(found.Deployment); err != nil || d.Deleting() {
		return gone
	}
	switch {
	case found.Digest != "":
		return slipway.Errorf(slipway.CodeConflict, "This upload URL has been used. Ask for a new one.")
	case c.now.After(found.ExpiresAt):
		return slipway.Errorf(slipway.CodeForbidden, "This upload URL has expired after %s. Ask for a new one.", c.service.config.UploadFor.Round(time.Second))
	}
	*u = found
	return nil
}

// limited fails, rather than ends, past its limit: a cut tarball must not look
// whole.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, slipway.Errorf(slipway.CodeTooLarge, "The source is larger than %d MiB.", slipway.MaxUpload>>20)
	}
	return n, err
}
