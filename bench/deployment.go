package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"testing/fstest"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/examples"
)

// source is an app as it is uploaded.
type source []byte

func pack(app fs.FS) (source, error) {
	archive, err := client.PackFS(app)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	return io.ReadAll(archive)
}

// echo is a real app that needs no model.
func echo() (source, error) { return pack(examples.EchoJS()) }

// standInApp is what the kind of stand-ins accepts.
func standInApp() (source, error) {
	return pack(fstest.MapFS{
		"langgraph.json": {Data: []byte(`{"graphs": {"a": "./a.ts:a"}, "stand_in": true}`)},
		"a.ts":           {},
	})
}

// deployment is one on a server. Its source is there, but no revision is.
type deployment struct {
	*server
	id, name string
	tarball  string // object_path of its source
}

// create makes a deployment and uploads its source.
func (s *server) create(ctx context.Context, name string, app source) (*deployment, error) {
	made, err := s.CreateDeployment(ctx, wire.DeploymentCreateRequest{Name: name, Source: "internal_source"})
	if err != nil {
		return nil, err
	}
	d := &deployment{server: s, id: made.ID, name: name}
	d.tarball, err = d.upload(ctx, app)
	return d, err
}

// upload sends a source, and returns its object_path.
func (d *deployment) upload(ctx context.Context, app source) (string, error) {
	upload, err := d.UploadURL(ctx, d.id)
	if err != nil {
		return "", err
	}
	return upload.ObjectPath, d.Upload(ctx, upload.UploadURL, bytes.NewReader(app), int64(len(app)))
}

// rollout is one revision from its PATCH to its end.
type rollout struct {
	revision string
	sent     time.Time // the PATCH was about to be sent
	deployed time.Time // the server's stamp of DEPLOYED
	seen     time.Time // the answer that told of it was there
}

// patch makes a revision of the source.
func (d *deployment) patch(ctx context.Context) (rollout, error) {
	r := rollout{sent: time.Now()}
	view, err := d.PatchDeployment(ctx, d.id, wire.DeploymentPatchRequest{
		SourceRevisionConfig: &wire.SourceRevisionConfigRequest{SourceTarballPath: &d.tarball},
	})
	if err != nil {
		return r, err
	}
	r.revision = *view.LatestRevisionID
	return r, nil
}

// rolloutLimit bounds a deploy, an installation included.
const rolloutLimit = 5 * time.Minute

// await asks until the revision is deployed.
func (d *deployment) await(ctx context.Context, r *rollout, every time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rolloutLimit, fmt.Errorf("a deploy did not end within %v", rolloutLimit))
	defer cancel()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		seen, err := d.Revision(ctx, d.id, r.revision)
		r.seen = time.Now()
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%w\n%s", context.Cause(ctx), d.lastWords())
		case err != nil:
			return err
		case seen.Status == "DEPLOYED":
			r.deployed = seen.StatusHistory[len(seen.StatusHistory)-1].At.Time
			return nil
		case client.Ended(seen.Status):
			return fmt.Errorf("revision is %s: %s", seen.Status, *seen.StatusMessage)
		}
		select {
		case <-tick.C:
		case <-ctx.Done(): // said above
		}
	}
}

// deploy makes a revision and asks until it is deployed.
func (d *deployment) deploy(ctx context.Context, every time.Duration) (rollout, error) {
	r, err := d.patch(ctx)
	if err == nil {
		err = d.await(ctx, &r, every)
	}
	return r, err
}

// remove deletes the deployment and waits until nothing is left of it.
func (d *deployment) remove(ctx context.Context) error {
	if err := d.DeleteDeployment(ctx, d.id, client.DeleteOptions{TracingProject: true, Now: true}); err != nil {
		return err
	}
	return d.WaitGone(ctx, d.id)
}

// ask sends a request to the agent, through the gateway.
func (d *deployment) ask(ctx context.Context, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL()+"/d/"+d.name+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("X-Api-Key", d.key)
	answer, err := transport.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, answer.Status)
	}
	return nil
}
