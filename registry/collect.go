package registry

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/slipwayhq/slipway"
)

// Remove removes everything below a deployment's prefix, and ends what is being
// pushed there. Where nothing is, it does nothing. Call it when the deployment
// takes no pushes any more (Config.Lives), else what comes later stays.
func (r *Registry) Remove(ctx context.Context, d slipway.DeploymentID) error {
	reopen, err := r.visits.clear(ctx, d)
	if err != nil {
		return fmt.Errorf("remove images of %s: %w", d, err)
	}
	defer reopen()
	owned, err := r.owned(d)
	if err == nil && r.disk.has(folderOf(d)) {
		err = r.disk.removeAll(folderOf(d))
	}
	for _, hex := range owned {
		err = errors.Join(err, r.collect(hex))
	}
	if err != nil {
		return fmt.Errorf("remove images of %s: %w", d, err)
	}
	return nil
}

// owned lists the blobs that a deployment has.
func (r *Registry) owned(d slipway.DeploymentID) (all []string, err error) {
	images, err := r.disk.names(folderOf(d))
	for _, image := range images {
		blobs, err := r.disk.names(path.Join(folderOf(d), image, "blobs"))
		if err != nil {
			return nil, err
		}
		all = append(all, blobs...)
	}
	return all, err
}

// collect removes bytes that nobody has. Who links to them in this moment has
// them all the same; only the next one can not share them.
func (r *Registry) collect(hex string) error {
	if r.disk.links(shared(hex)) != 1 {
		return nil
	}
	return r.disk.remove(shared(hex))
}

// Remains lists what is below a deployment's prefix, or below all if it is "":
// its images and, while there are none, its folder.
func (r *Registry) Remains(_ context.Context, d slipway.DeploymentID) (things []slipway.Thing, err error) {
	deployments := []string{string(d)}
	if d == "" {
		if deployments, err = r.disk.names(repositories); err != nil {
			return nil, err
		}
	}
	for _, of := range deployments {
		id := slipway.DeploymentID(of)
		if !deployment.MatchString(of) || !r.disk.has(folderOf(id)) {
			continue
		}
		images, err := r.disk.names(folderOf(id))
		if err != nil {
			return things, err
		}
		if len(images) == 0 {
			images = []string{""}
		}
		for _, image := range images {
			at := path.Join(folderOf(id), image)
			things = append(things, slipway.Thing{
				Kind: slipway.ItemRepository, Ref: slipway.Repository(id), Deployment: id,
				What: path.Join(r.disk.root.Name(), at), Since: r.disk.since(at),
			})
		}
	}
	return things, nil
}

// Retain keeps of a deployment's images those with the given digests
// ("sha256:…"), and what they consist of. Other images, and what no image refers
// to, go if they are older than the grace, and so do the tags of what is gone.
func (r *Registry) Retain(ctx context.Context, d slipway.DeploymentID, digests []string) error {
	keep := make(map[string]bool, len(digests))
	for _, digest := range digests {
		keep[hexOf(digest)] = true
	}
	err := r.tidyAll(ctx, d, func(repo repository, m manifests) error { return repo.dropManifests(m, keep) })
	if err != nil {
		return fmt.Errorf("drop images of %s: %w", d, err)
	}
	return nil
}

// Sweep removes what pushes left that were not gone on with: uploads, blobs that
// no manifest refers to, bytes that nobody has. It may run at any time.
func (r *Registry) Sweep(ctx context.Context) error {
	deployments, err := r.disk.names(repositories)
	for _, d := range deployments {
		err = errors.Join(err, r.tidyAll(ctx, slipway.DeploymentID(d), func(repository, manifests) error { return nil }))
	}
	if err = errors.Join(err, r.collectAll(ctx)); err != nil {
		return fmt.Errorf("sweep registry: %w", err)
	}
	return nil
}

func (r *Registry) collectAll(ctx context.Context) error {
	folders, err := r.disk.names("blobs")
	for _, folder := range folders {
		var blobs []string
		if blobs, err = r.disk.names(path.Join("blobs", folder)); err != nil {
			return err
		}
		for _, hex := range blobs {
			if err := errors.Join(ctx.Err(), r.collect(hex)); err != nil {
				return err
			}
		}
	}
	return err
}

// manifests are those of a repository, by the hex of their digest.
type manifests map[string]manifest

// tidyAll tidies a deployment's repositories, one after the other. Drop may
// remove manifests first.
func (r *Registry) tidyAll(ctx context.Context, d slipway.DeploymentID, drop func(repository, manifests) error) error {
	images, err := r.disk.names(folderOf(d))
	for _, image := range images {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err = errors.Join(err, repository{r, path.Join(folderOf(d), image)}.tidy(drop))
	}
	return err
}

// tidy removes from a repository what is old and of no use. What it looks at does
// not change meanwhile: nobody writes a manifest, or counts on a blob, until it
// is done.
func (r repository) tidy(drop func(repository, manifests) error) error {
	r.refer.Lock()
	defer r.refer.Unlock()
	present, err := r.loadManifests()
	if err == nil {
		err = drop(r, present)
	}
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, m := range present {
		for _, d := range m.blobs {
			used[hexOf(d.Digest)] = true
		}
	}
	return errors.Join(
		r.removeOld("blobs", func(hex string) bool { return used[hex] }),
		r.removeOld("uploads", func(id string) bool { return r.writers.writes(r.upload(id)) }),
	)
}

// loadManifests reads all manifests. One that can not be read is in the way of
// everything: what it refers to is not known.
func (r repository) loadManifests() (manifests, error) {
	names, err := r.disk.names(path.Join(r.folder, "manifests"))
	all := make(manifests, len(names))
	for _, hex := range names {
		content, err := r.disk.root.ReadFile(r.manifest(hex))
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		if all[hex], err = readManifest(content); err != nil {
			return nil, fmt.Errorf("read manifest %s: %w", r.manifest(hex), err)
		}
	}
	return all, err
}

// dropManifests removes old manifests but those to keep and their parts, and
// takes them out of m.
func (r repository) dropManifests(m manifests, keep map[string]bool) error {
	kept := map[string]bool{}
	var mark func(string)
	mark = func(hex string) {
		if kept[hex] {
			return
		}
		kept[hex] = true
		for _, part := range m[hex].manifests {
			mark(hexOf(part.Digest))
		}
	}
	for hex := range m {
		if keep[hex] || r.young(r.manifest(hex)) {
			mark(hex)
		}
	}
	if err := r.dropTags(kept); err != nil {
		return err
	}
	for hex := range m {
		if kept[hex] {
			continue
		}
		if err := r.disk.remove(r.manifest(hex)); err != nil {
			return err
		}
		delete(m, hex)
	}
	return nil
}

// dropTags removes the tags of manifests that are not kept.
func (r repository) dropTags(kept map[string]bool) error {
	tags, err := r.tags()
	for _, tag := range tags {
		digest, err := r.tagged(tag)
		if err == nil && !kept[hexOf(digest)] {
			err = r.disk.remove(r.tag(tag))
		}
		if err != nil {
			return err
		}
	}
	return err
}

// removeOld removes what is old in a folder of the repository and not in use.
func (r repository) removeOld(folder string, inUse func(string) bool) error {
	names, err := r.disk.names(path.Join(r.folder, folder))
	for _, name := range names {
		file := path.Join(r.folder, folder, name)
		if !inUse(name) && !r.young(file) {
			err = errors.Join(err, r.disk.remove(file))
		}
	}
	return err
}

// young says whether a file may belong to a push that is still going on.
func (r repository) young(file string) bool {
	return r.disk.age(file, r.config.Now()) < r.config.Grace
}
