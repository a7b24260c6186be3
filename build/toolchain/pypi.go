package toolchain

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// wheel is one file of PyPI, with what it must hash to.
type wheel struct {
	name, version string
	file          string
	sha256        string // hex
}

func (w wheel) label() string { return w.name + " " + w.version }

// download writes the wheel, verified, and goes back to its beginning.
func (w wheel) download(ctx context.Context, to *os.File) error {
	index, err := Indexes("")
	if err != nil {
		return err
	}
	address, err := w.find(ctx, strings.TrimSuffix(index.URL, "/")+"/"+w.name+"/")
	if err != nil {
		return err
	}
	answer, err := fetch(ctx, address, "")
	if err != nil {
		return w.unreachable(ctx, address, err)
	}
	defer answer.Body.Close()
	sum := sha256.New()
	body := &source{r: answer.Body}
	if _, err := io.Copy(io.MultiWriter(to, sum), body); err != nil {
		if body.err != nil {
			return w.unreachable(ctx, address, body.err)
		}
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != w.sha256 {
		return failure.New(Step, "integrity_mismatch", "%s is not the file that is expected: its SHA-256 is %s, not %s.", redacted(address), got, w.sha256)
	}
	_, err = to.Seek(0, io.SeekStart)
	return err
}

// maxIndexPage is more than the longest page of one project.
const maxIndexPage = 64 << 20

// find looks the file up on the project's page, in either form that an index may
// give it.
func (w wheel) find(ctx context.Context, page string) (string, error) {
	answer, err := fetch(ctx, page, "application/vnd.pypi.simple.v1+json, text/html;q=0.1")
	if err != nil {
		return "", w.unreachable(ctx, page, err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxIndexPage))
	if err != nil {
		return "", w.unreachable(ctx, page, err)
	}
	link := w.link(content)
	if link == "" {
		return "", w.unreachable(ctx, page, fmt.Errorf("the index does not list %s", w.file))
	}
	base := answer.Request.URL
	address, err := base.Parse(link)
	if err != nil {
		return "", w.unreachable(ctx, page, err)
	}
	if address.User == nil && address.Host == base.Host {
		address.User = base.User
	}
	return address.String(), nil
}

var href = regexp.MustCompile(`href\s*=\s*["']([^"']+)["']`)

func (w wheel) link(page []byte) string {
	var listed struct {
		Files []struct{ Filename, URL string }
	}
	if json.Unmarshal(page, &listed) == nil {
		for _, f := range listed.Files {
			if f.Filename == w.file {
				return f.URL
			}
		}
		return ""
	}
	for _, found := range href.FindAllSubmatch(page, -1) {
		link := strings.ReplaceAll(string(found[1]), "&amp;", "&")
		if path, _, _ := strings.Cut(link, "#"); strings.HasSuffix(path, "/"+w.file) {
			return link
		}
	}
	return ""
}

// fetch wants a 200.
func fetch(ctx context.Context, address, accept string) (*http.Response, error) {
	answer, err := get(ctx, address, accept)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, errors.New(answer.Status)
	}
	return answer, nil
}

func (w wheel) unreachable(ctx context.Context, address string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if cause, ok := errors.AsType[*url.Error](err); ok {
		err = cause.Err
	}
	return failure.WithHint(
		failure.New(Step, "registry_unreachable", "%s can not be fetched: %v.", redacted(address), err),
		"Give this machine a way to PyPI (PIP_INDEX_URL, HTTPS_PROXY), or install %s on it.", cmp.Or(w.name, "it"))
}

func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that can not be read"
	}
	return u.Redacted()
}
