package registry

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

func (v visitor) getManifest() error {
	content, digest, err := v.loadManifest(v.target.at)
	if err != nil {
		return err
	}
	m, err := readManifest(content)
	if err != nil {
		return fmt.Errorf("read stored manifest %s: %v", digest, err) // no refusal: the caller did nothing wrong
	}
	h := v.w.Header()
	h.Set("Content-Type", m.mediaType)
	h.Set("Docker-Content-Digest", digest)
	h.Set("ETag", `"`+digest+`"`)
	http.ServeContent(v.w, v.q, "", time.Time{}, bytes.NewReader(content))
	return nil
}

func (v visitor) putManifest() error {
	content, err := io.ReadAll(http.MaxBytesReader(nil, v.q.Body, maxManifest))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return refuse(http.StatusRequestEntityTooLarge, "SIZE_INVALID", "A manifest may have at most %d bytes.", maxManifest)
	}
	if err != nil {
		return fmt.Errorf("receive manifest: %w", err)
	}
	m, err := readManifest(content)
	if err != nil {
		return err
	}
	if err := m.checkKind(v.q.Header.Get("Content-Type")); err != nil {
		return err
	}
	tag := v.target.at
	if digestText.MatchString(tag) {
		if sum := digestOf(content); sum != tag {
			return refuse(http.StatusBadRequest, "DIGEST_INVALID", "What arrived has the digest %s.", sum)
		}
		tag = ""
	}
	digest, err := v.writeManifest(v.q.Context(), m, content, tag)
	if err != nil {
		return err
	}
	v.done.count(func(c *Counts) { c.Pushed++ })
	v.w.Header().Set("Location", root+v.target.name.String()+"/manifests/"+digest)
	v.w.Header().Set("Docker-Content-Digest", digest)
	v.w.WriteHeader(http.StatusCreated)
	return nil
}

// listTags lists tags in order: up to n, after last.
func (v visitor) listTags() error {
	tags, err := v.tags()
	if err != nil {
		return err
	}
	query := v.q.URL.Query()
	if last := query.Get("last"); last != "" {
		at, found := slices.BinarySearch(tags, last)
		if found {
			at++
		}
		tags = tags[at:]
	}
	if n, err := strconv.Atoi(cmp.Or(query.Get("n"), strconv.Itoa(len(tags)))); err != nil || n < 0 {
		return refuse(http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "n must be a number.")
	} else if n < len(tags) {
		tags = tags[:n]
		if n > 0 {
			next := url.Values{"n": {strconv.Itoa(n)}, "last": {tags[n-1]}}
			v.w.Header().Set("Link", "<"+v.q.URL.Path+"?"+next.Encode()+`>; rel="next"`)
		}
	}
	answerJSON(v.w, http.StatusOK, map[string]any{"name": v.target.name.String(), "tags": tags})
	return nil
}
