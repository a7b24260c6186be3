package registry_test

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/registry"
)

func TestPushAndPull(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "team/app")
	digest := p.image("v1", "one", "two")
	s.restart()
	for _, at := range []string{"v1", digest} {
		got := p.ask("GET", "manifests/"+at, nil).is(200)
		if got.header.Get("Docker-Content-Digest") != digest || got.header.Get("Content-Type") != ociManifest || digestOf([]byte(got.body)) != digest {
			t.Errorf("%s: %v %s", at, got.header, got.body)
		}
		head := p.ask("HEAD", "manifests/"+at, nil).is(200)
		if head.header.Get("Docker-Content-Digest") != digest || head.header.Get("Content-Length") == "0" {
			t.Errorf("%s: %v", at, head.header)
		}
	}
	layer := p.ask("GET", "blobs/"+digestOf([]byte("two")), nil).is(200)
	if layer.body != "two" || layer.header.Get("Docker-Content-Digest") != digestOf([]byte("two")) {
		t.Errorf("layer: %v %q", layer.header, layer.body)
	}
	some := p.ask("GET", "blobs/"+digestOf([]byte("two")), nil, "Range", "bytes=1-1").is(206)
	if some.body != "w" || some.header.Get("Content-Range") != "bytes 1-1/3" {
		t.Errorf("part of a layer: %v %q", some.header, some.body)
	}
	if head := p.ask("HEAD", "blobs/"+digestOf([]byte("two")), nil).is(200); head.header.Get("Content-Length") != "3" {
		t.Errorf("head of a layer: %v", head.header)
	}
}

func TestTags(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	first := p.image("c", "one")
	p.image("a", "one")
	second := p.image("b", "two")
	if got := p.ask("GET", "tags/list", nil).is(200).body; got != `{"name":"`+p.repository+`","tags":["a","b","c"]}` {
		t.Errorf("tags: %s", got)
	}
	page := p.ask("GET", "tags/list?n=1&last=a", nil).is(200)
	if !strings.HasSuffix(page.body, `"tags":["b"]}`) || page.header.Get("Link") != "</v2/"+p.repository+`/tags/list?last=b&n=1>; rel="next"` {
		t.Errorf("a page: %s %v", page.body, page.header)
	}
	if got := p.image("c", "two"); got != second {
		t.Errorf("c is %s", got)
	}
	if got := p.ask("HEAD", "manifests/c", nil).header.Get("Docker-Content-Digest"); got != second {
		t.Errorf("c names %s, was %s", got, first)
	}
	p.ask("GET", "tags/list?n=x", nil).refused(400, "PAGINATION_NUMBER_INVALID")
}

func TestWaysToPushABlob(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	content := []byte("some bytes of a layer")
	ways := map[string]func(digest string){
		"all in the first request": func(digest string) {
			p.ask("POST", "blobs/uploads/?digest="+digest, bytes.NewReader(content)).is(201)
		},
		"all in the last": func(digest string) {
			p.ask("PUT", p.begin()+"?digest="+digest, bytes.NewReader(content)).is(201)
		},
		"chunk by chunk": func(digest string) {
			at := p.begin()
			for i, b := range content[:4] {
				r := string(rune('0'+i)) + "-" + string(rune('0'+i))
				if got := p.ask("PATCH", at, bytes.NewReader([]byte{b}), "Content-Range", r).is(202).header.Get("Range"); got != "0-"+r[:1] {
					t.Errorf("after %s: %s", r, got)
				}
			}
			p.ask("PUT", at+"?digest="+digest, bytes.NewReader(content[4:]), "Content-Range", "4-20").is(201)
		},
		"without a length": func(digest string) {
			at := p.begin()
			p.ask("PATCH", at, struct{ *bytes.Reader }{bytes.NewReader(content)}).is(202)
			p.ask("PUT", at+"?digest="+digest, nil).is(201)
		},
	}
	for name, push := range ways {
		t.Run(name, func(t *testing.T) {
			content = []byte(name + ", 21 bytes in all......")[:21]
			push(digestOf(content))
			if got := p.ask("GET", "blobs/"+digestOf(content), nil).is(200); got.body != string(content) {
				t.Errorf("%q", got.body)
			}
		})
	}
}

func TestAPushGoesOnAfterARestart(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	at := p.begin()
	p.ask("PATCH", at, strings.NewReader("first "), "Content-Range", "0-5").is(202)
	s.restart()
	if got := p.ask("GET", at, nil).is(204).header.Get("Range"); got != "0-5" {
		t.Errorf("has arrived: %s", got)
	}
	p.ask("PATCH", at, strings.NewReader("second"), "Content-Range", "6-11").is(202)
	p.ask("PUT", at+"?digest="+digestOf([]byte("first second")), nil).is(201)
	p.ask("GET", at, nil).refused(404, "BLOB_UPLOAD_UNKNOWN")
}

func TestChunksOutOfOrder(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	at := p.begin()
	p.ask("PATCH", at, strings.NewReader("12345"), "Content-Range", "0-4").is(202)
	for name, r := range map[string]string{"a gap": "6-7", "from the beginning": "0-1", "longer than the body": "5-9", "words": "5-x", "backwards": "5-1"} {
		p.ask("PATCH", at, strings.NewReader("67"), "Content-Range", r).refused(416, "RANGE_INVALID")
		if got := p.ask("GET", at, nil).is(204).header.Get("Range"); got != "0-4" {
			t.Errorf("after %s: %s", name, got)
		}
	}
	p.ask("PATCH", at, struct{ *strings.Reader }{strings.NewReader("too long")}, "Content-Range", "5-6").refused(416, "RANGE_INVALID")
	if got := p.ask("GET", at, nil).is(204).header.Get("Range"); got != "0-4" {
		t.Errorf("after a chunk that was too long: %s", got)
	}
	p.ask("PUT", at+"?digest="+digestOf([]byte("1234567")), strings.NewReader("67"), "Content-Range", "5-6").is(201)
}

func TestWrongDigests(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	wrong := digestOf([]byte("else"))
	at := p.begin()
	p.ask("PUT", at+"?digest="+wrong, strings.NewReader("this")).refused(400, "DIGEST_INVALID")
	p.ask("GET", at, nil).refused(404, "BLOB_UPLOAD_UNKNOWN")
	p.ask("POST", "blobs/uploads/?digest="+wrong, strings.NewReader("this")).refused(400, "DIGEST_INVALID")
	p.ask("HEAD", "blobs/"+wrong, nil).is(404)
	p.ask("PUT", p.begin()+"?digest=sha256:123", strings.NewReader("this")).refused(400, "DIGEST_INVALID")
	p.ask("PUT", p.begin(), strings.NewReader("this")).refused(400, "DIGEST_INVALID")
	p.ask("POST", "blobs/uploads/?digest=md5:1", strings.NewReader("this")).refused(400, "DIGEST_INVALID")
	p.ask("GET", "blobs/latest", nil).refused(400, "DIGEST_INVALID")
	p.image("v1", "layer")
	p.ask("PUT", "manifests/"+wrong, bytes.NewReader(manifest([]byte(`{"layers":["layer"]}`), []byte("layer")))).refused(400, "DIGEST_INVALID")
}

// While the disk is almost full nothing is pushed that is not there, and all is
// pulled.
func TestFullDisk(t *testing.T) {
	var full atomic.Bool
	s := open(t, func(c *registry.Config) {
		c.Room = func() error {
			if full.Load() {
				return slipway.Errorf(slipway.CodeFull, "The disk is almost full.")
			}
			return nil
		}
	})
	p := s.pusher(mine, "app")
	content := []byte("what is there")
	digest := digestOf(content)
	p.ask("POST", "blobs/uploads/?digest="+digest, bytes.NewReader(content)).is(201)
	full.Store(true)
	p.ask("POST", "blobs/uploads/", nil).refused(507, "UNKNOWN")
	p.ask("GET", "blobs/"+digest, nil).is(200)
	full.Store(false)
	p.ask("POST", "blobs/uploads/", nil).is(202)
}

func TestLimits(t *testing.T) {
	s := open(t, func(c *registry.Config) { c.MaxBlob = 10 })
	p := s.pusher(mine, "app")
	at := p.begin()
	p.ask("PATCH", at, strings.NewReader("01234567890")).refused(413, "SIZE_INVALID")
	p.ask("PATCH", at, strings.NewReader("012345")).is(202)
	p.ask("PATCH", at, struct{ *strings.Reader }{strings.NewReader("67890")}).refused(413, "SIZE_INVALID")
	if got := p.ask("GET", at, nil).is(204).header.Get("Range"); got != "0-5" {
		t.Errorf("has arrived: %s", got)
	}
	p.ask("PATCH", at, strings.NewReader("6789")).is(202)
	p.ask("PUT", at+"?digest="+digestOf([]byte("0123456789")), nil).is(201)
	huge := `{"schemaVersion":2,"pad":"` + strings.Repeat("x", 4<<20) + `"}`
	p.ask("PUT", "manifests/v1", strings.NewReader(huge)).refused(413, "SIZE_INVALID")
}

func TestManifestsThatAreRefused(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	p.blob([]byte("{}"))
	layer := digestOf([]byte("{}"))
	config := `"config":{"digest":"` + layer + `","size":2}`
	for name, content := range map[string]string{
		"nothing":            ``,
		"no JSON":            `x`,
		"another version":    `{"schemaVersion":1,` + config + `,"layers":[]}`,
		"neither":            `{"schemaVersion":2}`,
		"both":               `{"schemaVersion":2,` + config + `,"layers":[],"manifests":[]}`,
		"both, spelled so":   `{"schemaVersion":2,` + config + `,"layers":[],"Manifests":[]}`,
		"no config":          `{"schemaVersion":2,"layers":[]}`,
		"an unknown kind":    `{"schemaVersion":2,"mediaType":"application/json",` + config + `,"layers":[]}`,
		"an index by name":   `{"schemaVersion":2,"mediaType":"` + ociIndex + `",` + config + `,"layers":[]}`,
		"a path for digest":  `{"schemaVersion":2,"config":{"digest":"sha256:../../../../etc/passwd","size":2},"layers":[]}`,
		"a digest of a kind": `{"schemaVersion":2,"config":{"digest":"sha512:` + strings.Repeat("0", 128) + `","size":2},"layers":[]}`,
		"another size":       `{"schemaVersion":2,"config":{"digest":"` + layer + `","size":3},"layers":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			p.ask("PUT", "manifests/v1", strings.NewReader(content)).refused(400, "MANIFEST_INVALID")
		})
	}
	good := `{"schemaVersion":2,` + config + `,"layers":[]}`
	p.ask("PUT", "manifests/v1", strings.NewReader(good), "Content-Type", ociIndex).refused(400, "MANIFEST_INVALID")
	absent := manifest([]byte("{}"), []byte("not pushed"))
	p.ask("PUT", "manifests/v1", bytes.NewReader(absent)).refused(404, "MANIFEST_BLOB_UNKNOWN")
	p.ask("PUT", "manifests/v1", bytes.NewReader(index(absent))).refused(404, "MANIFEST_BLOB_UNKNOWN")
	p.ask("GET", "manifests/v1", nil).refused(404, "MANIFEST_UNKNOWN")
	p.ask("PUT", "manifests/v1", strings.NewReader(good), "Content-Type", ociManifest).is(201)
	p.ask("PUT", "manifests/all", bytes.NewReader(index([]byte(good))), "Content-Type", ociIndex).is(201)
	foreign := `{"schemaVersion":2,` + config + `,"layers":[{"digest":"` + digestOf([]byte("elsewhere")) + `","size":9,"urls":["https://elsewhere.test/"]}]}`
	p.ask("PUT", "manifests/foreign", strings.NewReader(foreign)).is(201)
}

func TestTokens(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	p.ask("GET", "/v2/", nil).is(200)
	digest := p.image("v1", "layer")
	with := func(token string) pusher { return pusher{s, p.repository, token} }

	parts := strings.Split(p.token, ".")
	other := strings.Split(s.PushToken(theirs, s.clock().Add(time.Hour)), ".")
	for name, token := range map[string]string{
		"none":                  "",
		"words":                 "let me in",
		"without a signature":   strings.Join(parts[:3], "."),
		"another deployment's":  strings.Join([]string{parts[0], other[1], parts[2], parts[3]}, "."),
		"a later end":           strings.Join([]string{parts[0], parts[1], "99999999999", parts[3]}, "."),
		"pull made push":        strings.Replace(s.PullToken(mine, s.clock().Add(time.Hour)), "pull", "push", 1),
		"another of our labels": "registry/push." + strings.Join(parts[1:], "."),
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/v2/", "manifests/v1", "/v2/registry/..", "manifests/" + digest} {
				refused := with(token).ask("GET", path, nil)
				refused.refused(401, "UNAUTHORIZED")
				if refused.header.Get("WWW-Authenticate") != `Basic realm="Slipway registry"` || !strings.Contains(refused.body, "push-token") {
					t.Errorf("%s: %v %s", path, refused.header, refused.body)
				}
			}
		})
	}

	puller := with(s.PullToken(mine, s.clock().Add(time.Hour)))
	puller.ask("GET", "manifests/v1", nil).is(200)
	puller.ask("POST", "blobs/uploads/", nil).refused(403, "DENIED")
	puller.ask("PUT", "manifests/v2", strings.NewReader("{}")).refused(403, "DENIED")

	s.pass(time.Hour)
	if got := p.ask("GET", "manifests/v1", nil).refused(401, "UNAUTHORIZED"); !strings.Contains(got.body, "expired") {
		t.Errorf("after an hour: %s", got.body)
	}
	young := s.pusher(mine, "app")
	young.ask("GET", "manifests/v1", nil).is(200)
	s.kill(mine)
	for _, path := range []string{"/v2/", "manifests/v1", "blobs/uploads/"} {
		if got := young.ask("GET", path, nil); path != "blobs/uploads/" {
			got.refused(401, "UNAUTHORIZED")
		}
	}
	young.ask("POST", "blobs/uploads/", nil).refused(401, "UNAUTHORIZED")
}

func TestNothingOfOthersIsSeen(t *testing.T) {
	s := open(t)
	them, me := s.pusher(theirs, "app"), s.pusher(mine, "app")
	digest := them.image("v1", "their layer")
	layer := digestOf([]byte("their layer"))
	for _, there := range []string{"v1", digest, "never", digestOf([]byte("never"))} {
		at := "/v2/" + them.repository + "/manifests/" + there
		if got := me.ask("GET", at, nil).refused(403, "DENIED"); strings.Contains(got.body, string(theirs)) {
			t.Errorf("it says of whom: %s", got.body)
		}
		me.ask("GET", "manifests/"+there, nil).refused(404, "MANIFEST_UNKNOWN")
	}
	me.ask("HEAD", "blobs/"+layer, nil).is(404)
	me.ask("GET", "blobs/"+layer, nil).refused(404, "BLOB_UNKNOWN")
	for _, write := range [][2]string{{"POST", "blobs/uploads/"}, {"PUT", "manifests/v2"}, {"DELETE", "manifests/v1"}} {
		got := me.ask(write[0], "/v2/"+them.repository+"/"+write[1], strings.NewReader("{}"))
		if got.status != 403 && got.status != 405 {
			t.Errorf("%v: %d", write, got.status)
		}
	}
	for _, from := range []string{them.repository, "registry/" + string(mine) + "/../" + string(theirs) + "/app", "elsewhere", ""} {
		me.ask("POST", "blobs/uploads/?mount="+layer+"&from="+from, nil).is(202)
	}
	me.ask("HEAD", "blobs/"+layer, nil).is(404)
	content := manifest([]byte(`{"layers":["their layer"]}`), []byte("their layer"))
	me.ask("PUT", "manifests/stolen", bytes.NewReader(content)).refused(404, "MANIFEST_BLOB_UNKNOWN")

	upload := them.begin()
	me.ask("PATCH", upload, strings.NewReader("x")).refused(403, "DENIED")
	id := upload[strings.LastIndex(upload, "/")+1:]
	me.ask("PATCH", "blobs/uploads/"+id, strings.NewReader("x")).refused(404, "BLOB_UPLOAD_UNKNOWN")
}

func TestMountWithinADeployment(t *testing.T) {
	s := open(t)
	one, two := s.pusher(mine, "one"), s.pusher(mine, "two/deep")
	layer := one.blob([]byte("layer"))
	two.ask("HEAD", "blobs/"+layer, nil).is(404)
	got := two.ask("POST", "blobs/uploads/?mount="+layer+"&from="+one.repository, nil).is(201)
	if got.header.Get("Location") != "/v2/"+two.repository+"/blobs/"+layer {
		t.Errorf("location %s", got.header.Get("Location"))
	}
	if got := two.ask("GET", "blobs/"+layer, nil).is(200); got.body != "layer" {
		t.Errorf("%q", got.body)
	}
	two.ask("POST", "blobs/uploads/?mount="+digestOf([]byte("other"))+"&from="+one.repository, nil).is(202)
}

func TestHostileNames(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	base := "/v2/registry/" + string(mine)
	for _, path := range []string{
		base + "/../" + string(theirs) + "/app/manifests/v1",
		base + "/%2e%2e/" + string(theirs) + "/app/manifests/v1",
		base + "%2Fapp/manifests/v1",
		base + "/app%2f..%2fapp/manifests/v1",
		base + "/App/manifests/v1",
		base + "/app+x/manifests/v1",
		base + "/_uploads/manifests/v1",
		base + "/app//x/manifests/v1",
		base + "/app%00/manifests/v1",
		base + "/manifests/v1",
		base + "/" + strings.Repeat("a", 250) + "/manifests/v1",
		"/v2/registry/" + strings.ToUpper(string(mine)) + "/app/manifests/v1",
		"/v2/registry/*/app/manifests/v1",
	} {
		if got := p.ask("GET", path, nil); got.status != 400 && got.status != 404 && got.status != 403 {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		p.ask("PUT", path, bytes.NewReader(index())).refused(400, "NAME_INVALID")
	}
	for _, path := range []string{"", "/app", "/app/", "/app/manifests", "/app/tags", "/app/tags/all", "/app/referrers/" + digestOf(nil)} {
		if got := p.ask("GET", base+path, nil); got.status != 404 {
			t.Errorf("%q: %d %s", path, got.status, got.body)
		}
	}
	for _, at := range []string{"-x", ".x", strings.Repeat("x", 129), "sha256:12", "a%2fb"} {
		p.ask("PUT", base+"/app/manifests/"+at, bytes.NewReader(index())).is(400)
	}
	for _, id := range []string{"..", "%2e%2e", "x", strings.Repeat("A", 25), "../../tags/v1", "AAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if got := p.ask("PATCH", base+"/app/blobs/uploads/"+id, strings.NewReader("x")); got.status != 404 && got.status != 400 {
			t.Errorf("upload %q: %d %s", id, got.status, got.body)
		}
	}
	p.ask("DELETE", "manifests/v1", nil).refused(405, "UNSUPPORTED")
	p.ask("POST", "/v2/", nil).refused(405, "UNSUPPORTED")
}
