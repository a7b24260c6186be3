package conformance

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxUpload is the most that an upload may have, in bytes (§5).
const maxUpload = 200 << 20

func uploadCases() []Case {
	return []Case{
		fact("§5", "an upload gets an address of its own", func(t *T) {
			d := t.create(nil)
			a := t.call(http.MethodPost, d.path()+"/upload-url").is(http.StatusOK)
			address, err := url.Parse(a.text("upload_url"))
			t.check(err == nil && address.IsAbs() && address.Host != "", "an absolute address", a.text("upload_url"))
			b := t.call(http.MethodPost, d.path()+"/upload-url").is(http.StatusOK)
			t.check(a.text("object_path") != b.text("object_path"), "another object_path each time", b.text("object_path"))
		}),
		fact("§5", "newer clients send a body with it", func(t *T) {
			t.post(t.create(nil).path()+"/upload-url", object{"supports_upload_headers": true}).is(http.StatusOK)
		}),
		fact("§5", "the address needs no key", func(t *T) { t.create(nil).upload(brokenSource) }),
		fact("§5", "an upload may come in chunks, without a length", func(t *T) {
			d := t.create(nil)
			u := t.call(http.MethodPost, d.path()+"/upload-url").is(http.StatusOK)
			t.put(u.text("upload_url"), nil, chunked(bytes.NewReader(brokenSource))).ok()
			d.patch(object{"source_revision_config": object{"source_tarball_path": u.text("object_path")}}).is(http.StatusOK)
		}),
		fact("§5", "an altered address is refused", func(t *T) {
			u := t.call(http.MethodPost, t.create(nil).path()+"/upload-url").is(http.StatusOK).text("upload_url")
			last := "0"
			if strings.HasSuffix(u, "0") {
				last = "1"
			}
			t.put(u[:len(u)-1]+last, brokenSource).refused()
		}),
		choice("§5", "an address is good for one upload", func(t *T) {
			u := t.call(http.MethodPost, t.create(nil).path()+"/upload-url").is(http.StatusOK).text("upload_url")
			t.put(u, brokenSource).ok()
			t.put(u, brokenSource).refused()
		}),
		fact("§5", "more than 200 MiB are refused by their length", func(t *T) {
			u := t.call(http.MethodPost, t.create(nil).path()+"/upload-url").is(http.StatusOK).text("upload_url")
			t.put(u, nil, func(r *request) { r.body, r.length = stalled{t}, maxUpload+1 }).refused()
		}),
		fact("§5", "more than 200 MiB are refused without a length", func(t *T) {
			u := t.call(http.MethodPost, t.create(nil).path()+"/upload-url").is(http.StatusOK).text("upload_url")
			t.put(u, nil, chunked(io.LimitReader(rand.Reader, maxUpload+1<<20))).refused()
		}).with(bulk),
		fact("§5", "any other source_tarball_path is refused", func(t *T) {
			d, other := t.create(nil), t.create(nil)
			u := t.call(http.MethodPost, d.path()+"/upload-url").is(http.StatusOK)
			for _, path := range []string{"no/such/object", "../" + u.text("object_path"), other.upload(brokenSource), ""} {
				d.patch(object{"revision_source": "internal_source", "source_revision_config": object{"source_tarball_path": path}}).is(http.StatusBadRequest).says()
			}
			d.revisions("").has("resources", []any{})
		}),
		observed("§5", "a path to which nothing was uploaded is refused", func(t *T) {
			d := t.create(nil)
			u := t.call(http.MethodPost, d.path()+"/upload-url").is(http.StatusOK)
			d.patch(object{"source_revision_config": object{"source_tarball_path": u.text("object_path")}}).is(http.StatusBadRequest).says()
		}),
		fact("§5", "the path reads back", func(t *T) {
			d := t.create(nil)
			path := d.upload(brokenSource)
			r := d.patch(object{"source_revision_config": object{"source_tarball_path": path}}).is(http.StatusOK).text("latest_revision_id")
			t.get(d.revision(r)).is(http.StatusOK).has("source_revision_config.source_tarball_path", path)
		}),
	}
}

// chunked sends a body without a length.
func chunked(body io.Reader) set {
	return func(r *request) { r.body, r.length = body, -1 }
}

// stalled is a body of which nothing comes: the server has to refuse it by what
// it was told.
type stalled struct{ t *T }

func (s stalled) Read([]byte) (int, error) {
	s.t.pause(answerWithin)
	return 0, io.ErrUnexpectedEOF
}
