package registry

import (
	"encoding/json"
	"mime"
)

// Kinds of manifests.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	ociManifest    = "application/vnd.oci.image.manifest.v1+json"
	ociIndex       = "application/vnd.oci.image.index.v1+json"
)

// manifest is what a registry has to know of one.
type manifest struct {
	mediaType string
	blobs     []descriptor
	manifests []descriptor // of an index
}

// descriptor refers to bytes.
type descriptor struct {
	Digest string   `json:"digest"`
	Size   int64    `json:"size"`
	URLs   []string `json:"urls"` // where else they are; then they need not be here
}

// readManifest checks the form of a manifest. Its kind is told by its content
// alone, so that nothing has to be kept beside it.
func readManifest(content []byte) (manifest, error) {
	var m struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		Config        *descriptor  `json:"config"`
		Layers        []descriptor `json:"layers"`
		Manifests     []descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(content, &m); err != nil {
		return manifest{}, badManifest("The manifest is not JSON of a known form: %v", err)
	}
	if m.SchemaVersion != 2 {
		return manifest{}, badManifest("The manifest has schemaVersion %d; this registry takes 2.", m.SchemaVersion)
	}
	index, image := m.Manifests != nil, m.Config != nil || m.Layers != nil
	found := manifest{mediaType: m.MediaType, manifests: m.Manifests}
	switch {
	case index == image: // one that two readers could take for two things, or for nothing
		return manifest{}, badManifest("A manifest has either config and layers, or manifests.")
	case image && m.Config == nil:
		return manifest{}, badManifest("The manifest has no config.")
	case image:
		found.blobs = append([]descriptor{*m.Config}, m.Layers...)
	}
	if found.mediaType == "" {
		found.mediaType = ociManifest
		if index {
			found.mediaType = ociIndex
		}
	}
	if isIndex, known := kinds[found.mediaType]; !known || isIndex != index {
		return manifest{}, badManifest("The manifest says that it is %s, which this registry does not take, or which it is not.", found.mediaType)
	}
	return found, found.checkDigests()
}

// kinds says of each kind whether it is an index.
var kinds = map[string]bool{dockerManifest: false, ociManifest: false, dockerList: true, ociIndex: true}

func (m manifest) checkDigests() error {
	for _, list := range [][]descriptor{m.blobs, m.manifests} {
		for _, d := range list {
			if !digestText.MatchString(d.Digest) {
				return badManifest("The manifest refers to %q, which is no SHA-256 digest.", d.Digest)
			}
		}
	}
	return nil
}

// checkKind refuses a manifest that is sent as another kind than it says.
func (m manifest) checkKind(contentType string) error {
	if contentType == "" {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != m.mediaType {
		return badManifest("The manifest is sent as %s and is %s.", contentType, m.mediaType)
	}
	return nil
}
