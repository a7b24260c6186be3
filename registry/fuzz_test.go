package registry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

// Whatever is asked for, nothing breaks, nothing of another deployment is
// touched, and only what was pushed to a valid name leaves files.
func FuzzRequests(f *testing.F) {
	base := "/v2/registry/" + string(mine)
	for _, path := range []string{
		"/v2/", base + "/app/manifests/v1", base + "/app/blobs/uploads/", base + "/app/blobs/uploads/?digest=" + digestOf(nil),
		base + "/app/blobs/" + digestOf(nil), base + "/app/tags/list?n=1&last=x", base + "/../" + string(theirs) + "/app/manifests/v1",
		base + "/app/blobs/uploads/AAAAAAAAAAAAAAAAAAAAAAAAAA?digest=" + digestOf(nil), base + "/a%2fb/manifests/..",
		base + "/app/blobs/uploads/?mount=" + digestOf(nil) + "&from=registry/" + string(theirs) + "/app",
	} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			f.Add(method, path, "0-1", []byte("{}"))
		}
	}
	f.Fuzz(func(t *testing.T, method, path, contentRange string, body []byte) {
		u, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(u.Path, "/v2/") || u.Host != "" {
			t.Skip()
		}
		s := open(t)
		s.pusher(theirs, "app").image("v1", "their layer")
		before := len(s.files())
		q := &http.Request{Method: method, URL: u, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(body))), ContentLength: int64(len(body))}
		q.Header.Set("Content-Range", contentRange)
		q.SetBasicAuth(slipway.RegistryUser, s.PushToken(mine, s.clock().Add(time.Hour)))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, q.WithContext(t.Context()))
		if w.Code >= 500 {
			t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		must(t, s.Remove(t.Context(), mine))
		if after := s.files(); len(after) != before {
			t.Errorf("%s %s left %q", method, path, after)
		}
		if found, _ := filepath.Glob(filepath.Join(filepath.Dir(s.folder), "*")); len(found) != 1 {
			t.Errorf("%s %s wrote outside: %q", method, path, found)
		}
	})
}
