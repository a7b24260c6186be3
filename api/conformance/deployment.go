package conformance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// object is JSON on its way to the server.
type object = map[string]any

// deployment is one that a case made.
type deployment struct {
	t    *T
	id   string
	name string
	made *answer // to the request that made it
}

// internal is a body that makes a deployment without a revision.
func internal(name string) object {
	return object{"name": name, "source": "internal_source", "source_config": object{}, "source_revision_config": object{}, "secrets": []any{}}
}

// with returns a body with other members.
func with(body, members object) object {
	body = maps.Clone(body)
	maps.Copy(body, members)
	return body
}

// create makes a deployment of an internal source.
func (t *T) create(members object, sets ...set) *deployment {
	return t.createFrom(with(internal(t.name()), members), sets...)
}

// createFrom makes a deployment of a body.
func (t *T) createFrom(body object, sets ...set) *deployment {
	a := t.post("/v2/deployments", body, sets...).is(http.StatusCreated)
	return &deployment{t: t, id: a.text("id"), name: fmt.Sprint(body["name"]), made: a}
}

// image is a body that makes a deployment of an image, placed on a listener
// where the workspace has one.
func (t *T) image(members object) object {
	config := object{"resource_spec": object{}}
	if l := t.get("/v2/listeners?limit=1"); l.status == http.StatusOK && len(l.list("resources")) > 0 {
		config["listener_id"] = l.text("resources.0.id")
		config["listener_config"] = object{"k8s_namespace": l.value("resources.0.compute_config.k8s_namespaces.0")}
	}
	return with(object{
		"name": t.name(), "source": "external_docker", "source_config": config,
		"source_revision_config": object{"image_uri": t.target.Image}, "secrets": []any{},
	}, members)
}

func (t *T) createImage(members object) *deployment { return t.createFrom(t.image(members)) }

func (d *deployment) path() string              { return "/v2/deployments/" + d.id }
func (d *deployment) get() *answer              { return d.t.get(d.path()).is(http.StatusOK) }
func (d *deployment) patch(body object) *answer { return d.t.patch(d.path(), body) }
func (d *deployment) revision(id string) string { return d.path() + "/revisions/" + id }
func (d *deployment) latest() string            { return d.get().text("latest_revision_id") }

func (d *deployment) revisions(query string) *answer {
	return d.t.get(d.path() + "/revisions" + query).is(http.StatusOK)
}

func (d *deployment) status(revision string) (status string) {
	return d.t.get(d.revision(revision)).is(http.StatusOK).text("status")
}

// count is how many revisions there are.
func (d *deployment) count() int { return len(d.revisions("?limit=100").list("resources")) }

// ended are the statuses in which clients stop (§4), and the one of a cancel.
var ended = []string{"DEPLOYED", "SKIPPED", "CREATE_FAILED", "BUILD_FAILED", "DEPLOY_FAILED", "INTERRUPTED"}

// await waits until a revision has ended and returns its status, and every
// status that was seen on the way.
func (d *deployment) await(revision string) (status string, seen []string) {
	d.t.until("revision "+revision+" ends", func() (string, bool) {
		status = d.status(revision)
		if !slices.Contains(seen, status) {
			seen = append(seen, status)
		}
		return status, slices.Contains(ended, status)
	})
	return status, seen
}

// upload brings a source and returns its object_path.
func (d *deployment) upload(source []byte) string {
	u := d.t.call(http.MethodPost, d.path()+"/upload-url").is(http.StatusOK)
	d.t.put(u.text("upload_url"), source).ok()
	return u.text("object_path")
}

// put uploads as the vendor's clients do: without a key.
func (t *T) put(address string, source []byte, sets ...set) *answer {
	all := []set{as(""), rawBody("application/gzip", source), header("X-Goog-Content-Length-Range", "0,209715200")}
	return t.call(http.MethodPut, address, append(all, sets...)...)
}

// ok stops the case unless the status is 2xx.
func (a *answer) ok() *answer {
	if a.status < 200 || a.status > 299 {
		a.t.stop("a status of 2xx", a.String())
	}
	return a
}

// push makes a revision of a source and returns its id.
func (d *deployment) push(source []byte, config object) string {
	body := object{"revision_source": "internal_source", "source_revision_config": object{
		"source_tarball_path": d.upload(source), "langgraph_config_path": "langgraph.json",
	}}
	if config != nil {
		body["source_config"] = config
	}
	return d.patch(body).is(http.StatusOK).text("latest_revision_id")
}

// tarball packs files: path to content.
func tarball(files map[string]string) []byte {
	var raw bytes.Buffer
	zip := gzip.NewWriter(&raw)
	w := tar.NewWriter(zip)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		content := files[path]
		h := &tar.Header{Name: path, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}
		if w.WriteHeader(h) != nil {
			panic("tar header of " + path)
		}
		_, _ = w.Write([]byte(content)) // to memory
	}
	_, _ = w.Close(), zip.Close()
	return raw.Bytes()
}

// A source whose build fails at once, and one that stays in progress for a
// minute unless it is interrupted.
var (
	brokenSource = tarball(map[string]string{"langgraph.json": "{\n  \"graphs\": \n"})
	slowSource   = tarball(map[string]string{
		"langgraph.json": `{"node_version": "20", "graphs": {"slow": "./graph.js:graph"}}`,
		"package.json":   `{"name": "slow", "private": true, "type": "module"}`,
		"graph.js":       "export const graph = {};\n",
	})
	slowConfig = object{"install_command": "sleep 60"}
)

// busy makes a deployment with a revision in progress, which stays so for long.
func (t *T) busy() (d *deployment, revision string) {
	d = t.create(nil)
	return d, d.push(slowSource, slowConfig)
}

// fixture is a deployment that several cases look at and none changes.
type fixture struct {
	id, name, revision string
	failure            *Mismatch
	tried              bool
}

// share makes a fixture once; where that went wrong every case that needs it
// fails alike.
func (t *T) share(f *fixture, make func() (d *deployment, revision string)) (*deployment, string) {
	if !f.tried {
		f.tried = true
		first := len(t.mismatches)
		defer func() {
			t.shared, t.made = append(t.shared, t.made...), nil
			if f.revision == "" && len(t.mismatches) > first {
				f.failure = &t.mismatches[len(t.mismatches)-1]
			}
		}()
		d, revision := make()
		f.id, f.name, f.revision = d.id, d.name, revision
	}
	if f.failure != nil {
		t.mismatches = append(t.mismatches, *f.failure)
		panic(stopped{})
	}
	return &deployment{t: t, id: f.id, name: f.name}, f.revision
}

// failedBuild is a deployment whose only revision ended in BUILD_FAILED.
func (t *T) failedBuild() (*deployment, string) {
	return t.share(&t.failed, func() (*deployment, string) {
		d := t.create(nil)
		r := d.push(brokenSource, nil)
		if status, _ := d.await(r); status != "BUILD_FAILED" {
			t.stop("BUILD_FAILED of a source that can not be read", status)
		}
		return d, r
	})
}

// serving is a deployment that serves the app.
func (t *T) serving() (*deployment, string) {
	return t.share(&t.deployed, func() (*deployment, string) {
		d := t.create(object{"secrets": []any{object{"name": "GREETING", "value": "canary"}}})
		r := d.push(t.target.App, nil)
		if status, _ := d.await(r); status != "DEPLOYED" {
			t.stop("DEPLOYED", t.get(d.revision(r)).String())
		}
		return d, r
	})
}
