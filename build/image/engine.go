package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/client"
)

// job is one build in the engine.
type job struct {
	App
	*recipe
	tag string
	kit bool // by BuildKit
	log io.Writer
}

// hasBuildKit says whether the engine builds by BuildKit: one that says nothing
// of its builders is of before it was the default, and has it all the same.
func (b *Builder) hasBuildKit(ctx context.Context) (bool, error) {
	ping, err := b.Engine.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	if err != nil {
		return false, b.Engine.Explain(fmt.Errorf("ask the container engine for its builder: %w", err))
	}
	return ping.BuilderVersion != build.BuilderV1 && ping.OSType != "windows", nil
}

// run builds, and returns the id of the image.
func (b *Builder) run(ctx context.Context, j job) (id string, err error) {
	begin := time.Now()
	source, err := openSource(j.Dir, j.hidden)
	if err != nil {
		return "", err
	}
	options, end, err := b.options(ctx, j)
	if err != nil {
		return "", err
	}
	defer end()
	content := source.stream(j.recipe)
	defer content.Close()
	answer, err := b.Engine.ImageBuild(ctx, content, options)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", b.refused(err)
	}
	defer answer.Body.Close()
	o, err := follow(ctx, answer.Body, j.log)
	switch {
	case err != nil:
		return "", b.Engine.Explain(err)
	case o.failed != nil:
		return "", j.explain(o)
	case o.image == "":
		return "", fmt.Errorf("the container engine ended a build of %s without a word", j.tag)
	}
	if id, err = b.confirm(ctx, j.tag); err == nil {
		fmt.Fprintf(j.log, "Built image %s in %.1f s\n", j.tag, time.Since(begin).Seconds())
	}
	return id, err
}

// confirm reads the image's id by its name, which BuildKit may know by another
// while it builds.
func (b *Builder) confirm(ctx context.Context, tag string) (string, error) {
	id, err := b.find(ctx, tag)
	if err == nil && id == "" {
		err = fmt.Errorf("image %s is gone again", tag)
	}
	return id, err
}

// refused explains that a build did not begin: the engine has read the
// Dockerfile by then.
func (b *Builder) refused(err error) error {
	if client.IsErrConnectionFailed(err) {
		return b.Engine.Explain(err)
	}
	if parseError.MatchString(err.Error()) {
		return parseFailure(err)
	}
	return fmt.Errorf("begin a build: %w", err)
}

// options of a build, and what ends with it.
func (b *Builder) options(ctx context.Context, j job) (_ client.ImageBuildOptions, end func(), err error) {
	o := client.ImageBuildOptions{
		Tags: []string{j.tag}, Dockerfile: dockerfileName, Remove: true, ForceRemove: true,
		Labels:  map[string]string{labelOwner: b.installation, labelKey: j.Key},
		Version: build.BuilderV1,
	}
	if !j.kit {
		return o, func() {}, nil
	}
	secrets, err := j.secretFiles(os.DirFS(j.Dir))
	if err != nil {
		return o, nil, err
	}
	for _, s := range j.Secrets {
		secrets[s.Name] = []byte(s.Value)
	}
	session, err := openSession(ctx, b.Engine.Client, secrets)
	if err != nil {
		return o, nil, b.Engine.Explain(fmt.Errorf("offer secrets to a build: %w", err))
	}
	o.Version, o.SessionID, o.BuildID = build.BuilderBuildKit, session.id, session.id
	return o, session.close, nil
}
