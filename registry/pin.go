package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/slipwayhq/slipway"
)

// Pin returns the name by digest of an image of a deployment that is given by its
// tag or digest, and refuses one that is not there or is another deployment's. A
// name of another registry is returned as it is.
//
// What begins with the deployment's own prefix is taken for ours whatever its
// host is: a server may be reached by names that it does not know.
func (r *Registry) Pin(_ context.Context, d slipway.DeploymentID, uri string) (string, error) {
	ref, ok := parseReference(uri)
	switch {
	case !ok, ref.deployment != d && !r.config.Ours(ref.host):
		return uri, nil
	case ref.deployment != d:
		return "", slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_revision_config.image_uri' %q lies in this server's registry, and not under this deployment. Push the image for this deployment, with a token of its own.", uri)
	}
	digest, err := r.repository(ref.name).find(ref.at)
	if _, absent := errors.AsType[*refusal](err); absent {
		return "", slipway.Errorf(slipway.CodeInvalid, "Source configuration error: 'source_revision_config.image_uri' %q has not been pushed.", uri)
	}
	if err != nil {
		return "", fmt.Errorf("look up image: %w", err)
	}
	return ref.host + "/" + ref.name.String() + "@" + digest, nil
}

// find returns the digest of a manifest. Somebody is about to count on it: for
// the grace it is not dropped, though no revision names it yet.
func (r repository) find(at string) (string, error) {
	r.refer.RLock()
	defer r.refer.RUnlock()
	_, digest, err := r.loadManifest(at)
	if err == nil {
		r.disk.touch(r.manifest(hexOf(digest)), r.config.Now())
	}
	return digest, err
}

// Holds says whether an image's name lies below a deployment's prefix here.
func (r *Registry) Holds(d slipway.DeploymentID, uri string) bool {
	ref, ok := parseReference(uri)
	return ok && ref.deployment == d
}
