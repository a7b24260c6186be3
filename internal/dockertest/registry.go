package dockertest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Registry is a registry of a test's own that images are pulled from. Engines
// trust one on 127.0.0.1 without a certificate.
type Registry struct {
	Host               string // host:port
	Username, Password string // asked for unless "": set them before anything is pulled

	mu    sync.Mutex
	blobs map[string][]byte // by digest; manifests are among them
	tags  map[string]string // repository:tag → digest of its manifest
	types map[string]string // media types by digest
}

const (
	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	configType   = "application/vnd.docker.container.image.v1+json"
	layerType    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// NewRegistry starts a registry, which ends with the test.
func NewRegistry(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{blobs: map[string][]byte{}, tags: map[string]string{}, types: map[string]string{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.Host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// Publish makes an image that runs a program, gives it a tag, and returns the
// digest by which it is pulled. The tag is taken from what had it.
func (r *Registry) Publish(t testing.TB, repository, tag string, program []byte, args ...string) string {
	t.Helper()
	return r.PublishFiles(t, repository, tag, map[string][]byte{"program": program}, map[string]any{
		"Entrypoint": append([]string{"/program"}, args...),
	})
}

// PublishFiles makes an image of executable files, by their paths, and of how a
// container of it is configured; the rest is as Publish does.
func (r *Registry) PublishFiles(t testing.TB, repository, tag string, files map[string][]byte, container map[string]any) string {
	t.Helper()
	layer, sum := layerOf(t, files)
	config := encode(t, map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": container,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{sum}},
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	digest := r.add(manifestType, encode(t, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": descriptor(configType, r.add(configType, config), config),
		"layers": []any{descriptor(layerType, r.add(layerType, layer), layer)},
	}))
	r.tags[repository+":"+tag] = digest
	return digest
}

// layerOf packs files as registries have them, but without the work of making
// them small: programs are published over and over.
func layerOf(t testing.TB, files map[string][]byte) (layer []byte, digestOfTar string) {
	t.Helper()
	archive := tarOf(t, files)
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = z.Write(archive.Bytes()) // it is kept in memory
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes(), digestOf(archive.Bytes())
}

func descriptor(mediaType, digest string, content []byte) map[string]any {
	return map[string]any{"mediaType": mediaType, "digest": digest, "size": len(content)}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (r *Registry) add(mediaType string, content []byte) string {
	digest := digestOf(content)
	r.blobs[digest], r.types[digest] = content, mediaType
	return digest
}

// ServeHTTP serves what is needed to pull.
func (r *Registry) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if name, password, _ := q.BasicAuth(); name != r.Username || password != r.Password {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	if q.URL.Path == "/v2/" {
		return
	}
	repository, rest, isManifest := strings.Cut(strings.TrimPrefix(q.URL.Path, "/v2/"), "/manifests/")
	if !isManifest {
		_, rest, _ = strings.Cut(q.URL.Path, "/blobs/")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if digest, ok := r.tags[repository+":"+rest]; ok {
		rest = digest
	}
	content, ok := r.blobs[rest]
	if !ok {
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
		return
	}
	w.Header().Set("Content-Type", r.types[rest])
	w.Header().Set("Docker-Content-Digest", rest)
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	if q.Method == http.MethodGet {
		_, _ = w.Write(content)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}
