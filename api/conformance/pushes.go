package conformance

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

func pushCases() []Case {
	const only = "push token is only available for 'internal_docker' source deployments"
	return []Case{
		fact("§2", "other sources get no push token", func(t *T) {
			for _, d := range []*deployment{t.create(nil), t.createImage(nil)} {
				t.call(http.MethodPost, d.path()+"/push-token").is(http.StatusBadRequest).has("detail", only)
			}
		}),
		fact("§5", "the token is a password at the registry", func(t *T) {
			r := t.create(object{"source": "internal_docker"}).registry()
			r.call(http.MethodGet, "").is(http.StatusOK)
			r.password += "x"
			a := r.call(http.MethodGet, "").is(http.StatusUnauthorized)
			t.check(a.header.Get("WWW-Authenticate") != "", "a WWW-Authenticate header", "none")
		}),
		fact("§5", "an image is pushed, and read by its digest", func(t *T) {
			r := t.create(object{"source": "internal_docker"}).registry()
			digest, manifest := r.push("app", "1")
			a := r.call(http.MethodGet, r.prefix+"/app/manifests/"+digest).is(http.StatusOK)
			t.check(string(a.raw) == manifest, "the manifest as it was pushed", string(a.raw))
			t.check(a.header.Get("Docker-Content-Digest") == digest, "its digest", a.header.Get("Docker-Content-Digest"))
		}),
		fact("§5", "the name's end may be any", func(t *T) {
			r := t.create(object{"source": "internal_docker"}).registry()
			r.push("my-app", "latest")
			r.push("my-app/deeper", "1.0_x")
		}),
		fact("§5", "a token is good for its own deployment only", func(t *T) {
			own, other := t.create(object{"source": "internal_docker"}).registry(), t.create(object{"source": "internal_docker"}).registry()
			digest, _ := other.push("app", "1")
			own.call(http.MethodGet, other.prefix+"/app/manifests/"+digest).refused()
			own.call(http.MethodPost, other.prefix+"/app/blobs/uploads/").refused()
			own.call(http.MethodHead, own.prefix+"/app/blobs/"+digestOf("{}")).is(http.StatusNotFound)
		}),
		fact("§5", "an image_uri by tag is resolved at once", func(t *T) {
			d := t.create(object{"source": "internal_docker"})
			r := d.registry()
			digest, _ := r.push("app", "1")
			revision := d.runs(r.host + "/" + r.prefix + "/app:1").is(http.StatusOK).text("latest_revision_id")
			r.push("app", "1", "another")
			want := r.host + "/" + r.prefix + "/app@" + digest
			t.get(d.revision(revision)).is(http.StatusOK).has("source_revision_config.image_uri", want)
		}),
		choice("§5", "an image that was not pushed is refused", func(t *T) {
			d, other := t.create(object{"source": "internal_docker"}), t.create(object{"source": "internal_docker"})
			r := other.registry()
			digest, _ := r.push("app", "1")
			d.runs(r.host + "/" + r.prefix + "/app@" + digest).is(http.StatusBadRequest).says()
			other.runs(r.host + "/" + r.prefix + "/app:2").is(http.StatusBadRequest).says()
		}),
		fact("§5", "a token ends with its deployment", func(t *T) {
			d := t.create(object{"source": "internal_docker"})
			r := d.registry()
			r.push("app", "1")
			t.delete(d.path()).is(http.StatusNoContent)
			r.call(http.MethodGet, "").refused()
			r.call(http.MethodPost, r.prefix+"/app/blobs/uploads/").refused()
		}),
	}
}

// runs asks for a revision of an image.
func (d *deployment) runs(image string) *answer {
	return d.patch(object{"revision_source": "internal_docker", "source_revision_config": object{"image_uri": image}})
}

// registry is where the images of one deployment are pushed, and with what.
type registry struct {
	t        *T
	host     string
	prefix   string // of the names of its images
	user     string
	password string
}

// registry asks for a push token.
func (d *deployment) registry() *registry {
	a := d.t.call(http.MethodPost, d.path()+"/push-token").is(http.StatusOK)
	address := a.text("registry_url")
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	host, prefix, _ := strings.Cut(strings.TrimRight(address, "/"), "/")
	d.t.check(host != "" && a.text("token") != "", "a token and a registry_url", a.String())
	r := &registry{d.t, host, prefix, "oauth2accesstoken", a.text("token")}
	if user, ok := a.value("username").(string); ok {
		r.user = user
	}
	return r
}

// call asks the registry for what lies at a path below /v2/. It speaks http where
// it is the server itself and that does.
func (r *registry) call(method, path string, sets ...set) *answer {
	scheme := "https"
	if u, err := url.Parse(r.t.target.URL); err == nil && u.Host == r.host {
		scheme = u.Scheme
	}
	login := func(q *request) {
		h := http.Request{Header: q.header}
		h.SetBasicAuth(r.user, r.password)
	}
	return r.t.call(method, scheme+"://"+r.host+"/v2/"+path, append([]set{as(""), login}, sets...)...)
}

// push pushes an image without layers, of which the config is any text.
func (r *registry) push(name, tag string, config ...string) (digest, manifest string) {
	text := "{}"
	if len(config) > 0 {
		text = `{"comment":"` + config[0] + `"}`
	}
	repository := r.prefix + "/" + name
	at := r.call(http.MethodPost, repository+"/blobs/uploads/").is(http.StatusAccepted).header.Get("Location")
	u, err := url.Parse(at)
	r.t.check(err == nil && at != "", "a Location to upload to", at)
	query := u.Query()
	query.Set("digest", digestOf(text))
	path := strings.TrimPrefix(u.Path, "/v2/") + "?" + query.Encode()
	r.call(http.MethodPut, path, rawBody("application/octet-stream", []byte(text))).is(http.StatusCreated)
	manifest = fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`,
		manifestType, digestOf(text), len(text))
	r.call(http.MethodPut, repository+"/manifests/"+tag, rawBody(manifestType, []byte(manifest))).is(http.StatusCreated)
	return digestOf(manifest), manifest
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}
