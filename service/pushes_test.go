package service_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

func (p *plane) internalDocker(name string) slipway.DeploymentView {
	p.t.Helper()
	d, err := p.Create(p.t.Context(), p.who, slipway.NewDeployment{Name: name, Source: slipway.SourceInternalDocker})
	must(p.t, err)
	return d
}

func (p *plane) token(d slipway.DeploymentID) string {
	p.t.Helper()
	t, err := p.NewPushToken(p.t.Context(), p.who, d)
	must(p.t, err)
	return t.Token
}

func (p *plane) toRegistry(method, path, token, body string) int {
	p.t.Helper()
	q := httptest.NewRequestWithContext(p.t.Context(), method, "/v2/"+path, strings.NewReader(body))
	q.SetBasicAuth(slipway.RegistryUser, token)
	w := httptest.NewRecorder()
	p.images.ServeHTTP(w, q)
	return w.Code
}

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// pushImage pushes an image of one config and returns its name by digest.
func (p *plane) pushImage(d slipway.DeploymentID, tag, config string) string {
	p.t.Helper()
	token, repository := p.token(d), slipway.Repository(d)+"/app"
	manifest := fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":%q,"size":%d}}`, digest(config), len(config))
	if got := p.toRegistry(http.MethodPost, repository+"/blobs/uploads/?digest="+digest(config), token, config); got != http.StatusCreated {
		p.t.Fatalf("push of the config: %d", got)
	}
	if got := p.toRegistry(http.MethodPut, repository+"/manifests/"+tag, token, manifest); got != http.StatusCreated {
		p.t.Fatalf("push of the manifest: %d", got)
	}
	return "slipway.test/" + repository + "@" + digest(manifest)
}

// deployImage makes a revision of an image.
func (p *plane) deployImage(d slipway.DeploymentID, uri string) (slipway.DeploymentView, error) {
	p.pass(time.Second)
	return p.Patch(p.t.Context(), p.who, d, slipway.Change{RevisionSource: slipway.SourceInternalDocker, ImageURI: &uri})
}

func TestWhoGetsAPushToken(t *testing.T) {
	p := newPlane(t)
	d := p.internalDocker("pushed")
	if items := p.items(d.ID); slices.ContainsFunc(items, func(i slipway.Item) bool { return i.Kind == slipway.ItemRepository }) {
		t.Errorf("before the first token: %+v", items)
	}
	token, err := p.NewPushToken(t.Context(), p.who, d.ID)
	must(t, err)
	if token.Deployment != d.ID || !token.ExpiresAt.Equal(p.clock().Add(time.Hour)) {
		t.Errorf("%+v", token)
	}
	p.token(d.ID)
	planned := slices.DeleteFunc(p.items(d.ID), func(i slipway.Item) bool { return i.Kind != slipway.ItemRepository })
	if len(planned) != 1 || planned[0].Ref != "registry/"+string(d.ID) {
		t.Errorf("in the inventory: %+v", planned)
	}
	for name, ask := range map[string]func() error{
		"another source": func() error { _, err := p.NewPushToken(t.Context(), p.who, p.create("uploaded").ID); return err },
		"an image elsewhere": func() error {
			v, err := p.Create(t.Context(), p.who, slipway.NewDeployment{
				Name: "external", Source: slipway.SourceExternalDocker, Revision: slipway.RevisionConfig{ImageURI: "registry.test/app"},
			})
			must(t, err)
			_, err = p.NewPushToken(t.Context(), p.who, v.ID)
			return err
		},
	} {
		if err := ask(); slipway.CodeOf(err) != slipway.CodeInvalid || err.Error() != "push token is only available for 'internal_docker' source deployments" {
			t.Errorf("%s: %v", name, err)
		}
	}
	again := func() string {
		got, err := p.NewPushToken(p.keyed("k", "h"), p.who, d.ID)
		must(t, err)
		return got.Token
	}
	again()
	p.pass(2 * time.Hour)
	if got := p.toRegistry(http.MethodGet, "", again(), ""); got != http.StatusOK {
		t.Errorf("a token that is handed out again: %d", got)
	}
}

func TestAPushedImageIsPinned(t *testing.T) {
	p := newPlane(t)
	d, other := p.internalDocker("mine"), p.internalDocker("theirs")
	first := p.pushImage(d.ID, "v1", "first")
	foreign := p.pushImage(other.ID, "v1", "first")
	name := "slipway.test/" + slipway.Repository(d.ID) + "/app"

	for given, want := range map[string]string{
		name + ":v1":                     first,
		first:                            first,
		name + ":v1" + first[len(name):]: first,
		strings.Replace(name, "slipway.test", "another.name:1", 1) + ":v1": strings.Replace(first, "slipway.test", "another.name:1", 1),
		"registry.test/app:v1": "registry.test/app:v1",
		"elsewhere.test/" + slipway.Repository(other.ID) + "/app:v1": "elsewhere.test/" + slipway.Repository(other.ID) + "/app:v1",
	} {
		v, err := p.deployImage(d.ID, given)
		if err != nil || v.RevisionConfig.ImageURI != want || p.newest(v).Config.ImageURI != want {
			t.Errorf("%s: %s, %v, want %s", given, v.RevisionConfig.ImageURI, err, want)
		}
	}
	for given, want := range map[string]string{
		name + ":v2":            "has not been pushed",
		name:                    "has not been pushed",
		name + "/other:v1":      "has not been pushed",
		name + "@" + digest(""): "has not been pushed",
		foreign:                 "not under this deployment",
		"slipway.test/" + slipway.Repository(other.ID) + "/never:v1": "not under this deployment",
	} {
		if _, err := p.deployImage(d.ID, given); slipway.CodeOf(err) != slipway.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", given, err, want)
		}
	}
	_, err := p.Create(t.Context(), p.who, slipway.NewDeployment{
		Name: "stolen", Source: slipway.SourceExternalDocker, Revision: slipway.RevisionConfig{ImageURI: first},
	})
	if slipway.CodeOf(err) != slipway.CodeInvalid {
		t.Errorf("a new deployment of another's image: %v", err)
	}
	stranger := slipway.Principal{Workspace: slipway.NewID[slipway.WorkspaceID](p.clock()), Scopes: slipway.DefaultScopes()}
	for _, uri := range []string{first, name + ":v9"} {
		_, err := p.Revise(t.Context(), stranger, d.ID, slipway.Change{ImageURI: &uri})
		if slipway.CodeOf(err) != slipway.CodeNotFound {
			t.Errorf("another workspace learns of %s: %v", uri, err)
		}
	}
}

func TestADataPlaneMayFetchWhatItRuns(t *testing.T) {
	p := newPlane(t)
	d := p.internalDocker("app")
	pushed := p.pushImage(d.ID, "v1", "config")
	v, err := p.deployImage(d.ID, pushed)
	must(t, err)
	l := p.acquire(d.ID)
	auth, err := p.RegistryAuth(t.Context(), l, v.Latest)
	must(t, err)
	path := strings.Replace(strings.TrimPrefix(pushed, "slipway.test/"), "@", "/manifests/", 1)
	if got := p.toRegistry(http.MethodGet, path, auth.Password, ""); auth.Username != slipway.RegistryUser || got != http.StatusOK {
		t.Errorf("fetched as %q: %d", auth.Username, got)
	}
	if got := p.toRegistry(http.MethodPut, path, auth.Password, "{}"); got != http.StatusForbidden {
		t.Errorf("written with it: %d", got)
	}
	p.pass(pullFor)
	if got := p.toRegistry(http.MethodGet, path, auth.Password, ""); got != http.StatusUnauthorized {
		t.Errorf("fetched after its time: %d", got)
	}
	v, err = p.deployImage(d.ID, "registry.test/app:v1")
	must(t, err)
	if auth, err := p.RegistryAuth(t.Context(), l, v.Latest); err != nil || auth != (slipway.RegistryAuth{}) {
		t.Errorf("for another registry: %+v, %v", auth, err)
	}
	l.Term--
	if _, err := p.RegistryAuth(t.Context(), l, v.Latest); !errors.Is(err, slipway.ErrLeaseLost) {
		t.Errorf("without the lease: %v", err)
	}
}

// pullFor is above the time in which the data plane may fetch.
const pullFor = 20 * time.Minute

func (p *plane) repositories() []string {
	p.t.Helper()
	found, err := filepath.Glob(filepath.Join(p.dir, "registry", "repositories", "*"))
	must(p.t, err)
	return found
}

func TestImagesGoWithTheirDeployment(t *testing.T) {
	p := newPlane(t)
	d, neighbour := p.internalDocker("app"), p.internalDocker("neighbour")
	p.pushImage(d.ID, "v1", "config")
	kept := p.pushImage(neighbour.ID, "v1", "config")
	token := p.token(d.ID)
	must(t, p.Delete(t.Context(), p.who, d.ID, slipway.DeleteOptions{}))
	if got := p.toRegistry(http.MethodGet, "", token, ""); got != http.StatusUnauthorized {
		t.Errorf("after the deletion the token is answered %d", got)
	}
	if got := p.toRegistry(http.MethodPost, slipway.Repository(d.ID)+"/app/blobs/uploads/", token, ""); got != http.StatusUnauthorized {
		t.Errorf("after the deletion a push is answered %d", got)
	}
	if _, err := p.NewPushToken(t.Context(), p.who, d.ID); slipway.CodeOf(err) != slipway.CodeConflict {
		t.Errorf("a token after the deletion: %v", err)
	}
	p.coordinate()
	testsignal.Until(t, "the end of the deletion", func() bool {
		_, err := p.Get(t.Context(), p.who, d.ID)
		return slipway.CodeOf(err) == slipway.CodeNotFound
	})
	if left := p.repositories(); len(left) != 1 || filepath.Base(left[0]) != string(neighbour.ID) {
		t.Errorf("left: %q", left)
	}
	if _, err := p.deployImage(neighbour.ID, kept); err != nil {
		t.Errorf("the neighbour's image: %v", err)
	}
}

// Images that no revision needs any more go; those that one may be deployed from
// again stay.
func TestOldImagesAreDropped(t *testing.T) {
	p := newPlane(t)
	d := p.internalDocker("app")
	unused := p.pushImage(d.ID, "unused", "unused")
	used := p.pushImage(d.ID, "used", "used")
	_, err := p.deployImage(d.ID, used)
	must(t, err)
	p.pass(100 * 24 * time.Hour)
	fresh := p.pushImage(d.ID, "fresh", "fresh")
	p.coordinate()
	there := func(name string) bool {
		_, at, _ := strings.Cut(name, "@sha256:")
		_, err := os.Stat(filepath.Join(p.dir, "registry", "repositories", string(d.ID), "app", "manifests", at))
		return err == nil
	}
	testsignal.Until(t, "the old image is dropped", func() bool { return !there(unused) })
	if !there(used) || !there(fresh) {
		t.Errorf("used: %t, just pushed: %t", there(used), there(fresh))
	}
}
