package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
)

// rollout brings an app to a server: a deployment of its name, and a revision
// of what is uploaded.
type rollout struct {
	client *client.Client
	screen *screen
	name   string
	config string // langgraph.json within the app
	env    []wire.Secret
	source wire.SourceConfigRequest
}

// ensure finds the deployment, or makes it.
func (r *rollout) ensure(ctx context.Context) (d wire.Deployment, made bool, err error) {
	d, err = r.client.FindDeployment(ctx, r.name)
	if err == nil {
		return d, false, nil
	}
	if !client.IsNotFound(err) {
		return d, false, fmt.Errorf("look for deployment %s: %w", r.name, err)
	}
	d, err = r.client.CreateDeployment(ctx, wire.DeploymentCreateRequest{Name: r.name, Source: string(slipway.SourceInternalSource), SourceConfig: r.source, Secrets: r.env})
	if err != nil {
		return d, false, fmt.Errorf("create deployment %s: %w", r.name, err)
	}
	r.screen.line("Created deployment %s (%s).", r.name, d.ID)
	return d, true, nil
}

// revise uploads an archive and makes a revision of it, whose id is the
// answer's LatestRevisionID.
func (r *rollout) revise(ctx context.Context, d wire.Deployment, app *client.Archive) (wire.Deployment, error) {
	place, err := r.client.UploadURL(ctx, d.ID)
	if err != nil {
		return d, fmt.Errorf("ask where to upload to: %w", err)
	}
	if err := r.client.Upload(ctx, place.UploadURL, app, app.Size); err != nil {
		return d, fmt.Errorf("upload: %w", err)
	}
	r.screen.line("Uploaded %s: %s.", count(app.Files, "file"), size(app.Size))
	for _, link := range app.Skipped {
		r.screen.line("  left out %s: the link leads to no file within the app", link)
	}
	out, err := r.client.PatchDeployment(ctx, d.ID, wire.DeploymentPatchRequest{
		RevisionSource:       new(string(slipway.SourceInternalSource)),
		SourceRevisionConfig: &wire.SourceRevisionConfigRequest{LanggraphConfigPath: &r.config, SourceTarballPath: &place.ObjectPath},
		SourceConfig:         &r.source,
		Secrets:              r.variables(d),
	})
	if err != nil {
		return d, fmt.Errorf("make a revision: %w", err)
	}
	if out.LatestRevisionID == nil {
		return out, fmt.Errorf("make a revision: the server made none")
	}
	return out, nil
}

// variables is the set to send: what was given, and what the deployment has
// besides, whose masked values mean that they stay. Nil changes nothing.
func (r *rollout) variables(d wire.Deployment) *[]wire.Secret {
	if len(r.env) == 0 {
		return nil
	}
	set, given := slices.Clone(r.env), map[string]bool{}
	for _, v := range r.env {
		given[v.Name] = true
	}
	for _, v := range d.Secrets {
		if !given[v.Name] {
			set = append(set, v)
		}
	}
	return &set
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func size(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}
