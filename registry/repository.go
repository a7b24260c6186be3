package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/slipwayhq/slipway"
)

// repositories is where the links of deployments lie.
const repositories = "repositories"

// folderOf is what a deployment has.
func folderOf(d slipway.DeploymentID) string { return path.Join(repositories, string(d)) }

// repository is the folder of one image.
type repository struct {
	*Registry
	folder string
}

func (r *Registry) repository(n name) repository {
	return repository{r, path.Join(folderOf(n.deployment), strings.ReplaceAll(n.image, "/", "+"))}
}

func (r repository) blob(hex string) string     { return path.Join(r.folder, "blobs", hex) }
func (r repository) manifest(hex string) string { return path.Join(r.folder, "manifests", hex) }
func (r repository) tag(tag string) string      { return path.Join(r.folder, "tags", tag) }
func (r repository) upload(id string) string    { return path.Join(r.folder, "uploads", id) }

// shared is where bytes lie for all.
func shared(hex string) string { return path.Join("blobs", hex[:2], hex) }

// adopt makes the bytes of an upload, whose digest was checked, a blob of this
// repository. They are stored once: if they are there already, those are taken.
func (r repository) adopt(upload, hex string) error {
	if err := r.disk.sync(upload); err != nil {
		return err
	}
	if err := r.disk.makeFolder(path.Dir(shared(hex))); err != nil {
		return err
	}
	for {
		if err := r.disk.link(upload, shared(hex)); err != nil {
			return err
		}
		switch err := r.own(shared(hex), hex); {
		case err == nil:
			return r.disk.remove(upload)
		case errors.Is(err, fs.ErrNotExist): // collected in this moment: bring them again
		case errors.Is(err, syscall.EMLINK): // bytes can not have more names: a copy has its own
			if err := r.disk.rename(upload, shared(hex)); err != nil {
				return err
			}
			return r.own(shared(hex), hex)
		default:
			return err
		}
	}
}

// own links bytes from this repository, and makes them young: the push that they
// belong to has time to come to its end.
func (r repository) own(bytes, hex string) error {
	r.refer.RLock()
	defer r.refer.RUnlock()
	if err := r.disk.makeFolder(path.Join(r.folder, "blobs")); err != nil {
		return err
	}
	if err := r.disk.link(bytes, r.blob(hex)); err != nil {
		return err
	}
	r.disk.touch(r.blob(hex), r.config.Now())
	return nil
}

// mount gives this repository a blob of another one of the same deployment, and
// says whether that has it.
func (r repository) mount(from name, digest string) (bool, error) {
	hex := hexOf(digest)
	err := r.own(r.repository(from).blob(hex), hex)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// openBlob opens a blob of this repository. Who asks for one may be about to push
// a manifest that refers to it, so it is young again.
func (r repository) openBlob(digest string) (*os.File, error) {
	r.refer.RLock()
	defer r.refer.RUnlock()
	f, err := r.disk.root.Open(r.blob(hexOf(digest)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noSuchBlob(digest)
	}
	r.disk.touch(r.blob(hexOf(digest)), r.config.Now())
	return f, err
}

// loadManifest returns a manifest by its tag or digest, and its digest.
func (r repository) loadManifest(at string) (content []byte, digest string, err error) {
	digest = at
	if !digestText.MatchString(at) {
		if digest, err = r.tagged(at); err != nil {
			return nil, "", err
		}
	}
	content, err = r.disk.root.ReadFile(r.manifest(hexOf(digest)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", noSuchManifest(at)
	}
	return content, digest, err
}

// tagged is the digest that a tag names.
func (r repository) tagged(tag string) (string, error) {
	digest, err := r.disk.root.ReadFile(r.tag(tag))
	if errors.Is(err, fs.ErrNotExist) {
		return "", noSuchManifest(tag)
	}
	if err == nil && !digestText.Match(digest) {
		err = fmt.Errorf("tag %s holds no digest", r.tag(tag))
	}
	return string(digest), err
}

// writeManifest stores a manifest whose references are all here, then the tag
// that is to name it, unless it is "".
func (r repository) writeManifest(ctx context.Context, m manifest, content []byte, tag string) (digest string, err error) {
	r.refer.RLock()
	defer r.refer.RUnlock()
	if err := r.complete(m); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	for _, folder := range []string{"manifests", "tags", "uploads"} {
		if err := r.disk.makeFolder(path.Join(r.folder, folder)); err != nil {
			return "", err
		}
	}
	digest = digestOf(content)
	if err := r.disk.write(r.manifest(hexOf(digest)), r.upload(newUploadID()), content); err != nil {
		return "", err
	}
	r.disk.touch(r.manifest(hexOf(digest)), r.config.Now())
	if tag == "" {
		return digest, nil
	}
	return digest, r.disk.write(r.tag(tag), r.upload(newUploadID()), []byte(digest))
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// complete refuses a manifest that refers to what is not in this repository.
func (r repository) complete(m manifest) error {
	for _, d := range m.blobs {
		if err := r.check(r.blob(hexOf(d.Digest)), d); err != nil {
			return err
		}
	}
	for _, d := range m.manifests {
		if err := r.check(r.manifest(hexOf(d.Digest)), d); err != nil {
			return err
		}
	}
	return nil
}

func (r repository) check(file string, d descriptor) error {
	info, err := r.disk.root.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(d.URLs) > 0:
		return nil // a layer that may not be passed on lies elsewhere
	case errors.Is(err, fs.ErrNotExist):
		return refuse(http.StatusNotFound, "MANIFEST_BLOB_UNKNOWN", "The manifest refers to %s, which is not in this repository: push it first.", d.Digest)
	case err != nil:
		return err
	case info.Size() != d.Size:
		return badManifest("The manifest says that %s has %d bytes, and it has %d.", d.Digest, d.Size, info.Size())
	}
	return nil
}

// tags lists the tags, in order.
func (r repository) tags() ([]string, error) { return r.disk.names(path.Join(r.folder, "tags")) }
