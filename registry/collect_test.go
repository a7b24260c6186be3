package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/testsignal"
	"github.com/slipwayhq/slipway/registry"
)

// files lists all files of the registry, by their path.
func (s *setting) files() (all []string) {
	s.t.Helper()
	must(s.t, filepath.WalkDir(s.folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rest, _ := filepath.Rel(s.folder, path)
			all = append(all, rest)
		}
		return err
	}))
	return all
}

func (s *setting) expectFiles(parts ...string) {
	s.t.Helper()
	found := s.files()
	for _, part := range parts {
		if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, part) }) {
			s.t.Errorf("no %s in %q", part, found)
		}
	}
}

func (s *setting) expectNone(parts ...string) {
	s.t.Helper()
	for _, file := range s.files() {
		for _, part := range parts {
			if strings.Contains(file, part) {
				s.t.Errorf("left: %s", file)
			}
		}
	}
}

func hexOf(content string) string { return strings.TrimPrefix(digestOf([]byte(content)), "sha256:") }

func TestBytesAreStoredOnce(t *testing.T) {
	s := open(t)
	s.pusher(mine, "app").image("v1", "base", "mine")
	s.pusher(theirs, "app").image("v1", "base", "theirs")
	inode := func(path string) os.FileInfo {
		info, err := os.Stat(filepath.Join(s.folder, path))
		must(t, err)
		return info
	}
	base := hexOf("base")
	shared := inode("blobs/" + base[:2] + "/" + base)
	for _, d := range []slipway.DeploymentID{mine, theirs} {
		if !os.SameFile(shared, inode("repositories/"+string(d)+"/app/blobs/"+base)) {
			t.Errorf("%s has a copy", d)
		}
	}
	must(t, s.Remove(t.Context(), mine))
	s.expectNone(string(mine), hexOf("mine"))
	s.expectFiles("blobs/"+base[:2]+"/"+base, string(theirs))
	them := s.pusher(theirs, "app")
	for _, layer := range []string{"base", "theirs"} {
		if got := them.ask("GET", "blobs/"+digestOf([]byte(layer)), nil).is(200); got.body != layer {
			t.Errorf("%q", got.body)
		}
	}
	must(t, s.Remove(t.Context(), theirs))
	if left := s.files(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	must(t, s.Remove(t.Context(), theirs))
}

func TestSweepTakesWhatPushesLeft(t *testing.T) {
	s := open(t, func(c *registry.Config) { c.Grace = time.Hour })
	p := s.pusher(mine, "app")
	p.image("v1", "used")
	p.blob([]byte("without a manifest"))
	at := p.begin()
	p.ask("PATCH", at, strings.NewReader("half")).is(202)
	left := []string{hexOf("without a manifest"), at[strings.LastIndex(at, "/")+1:]}

	s.pass(59 * time.Minute)
	must(t, s.Sweep(t.Context()))
	s.expectFiles(left...)
	p = s.pusher(mine, "app")
	p.ask("HEAD", "blobs/"+digestOf([]byte("without a manifest")), nil).is(200) // it is about to be referred to
	s.pass(2 * time.Minute)
	must(t, s.Sweep(t.Context()))
	s.expectFiles(left[0], hexOf("used"))
	s.expectNone(left[1])
	s.pass(time.Hour)
	must(t, s.Sweep(t.Context()))
	s.expectNone(left...)
	s.expectFiles(hexOf("used"))
}

func TestRetain(t *testing.T) {
	s := open(t, func(c *registry.Config) { c.Grace = time.Hour })
	p := s.pusher(mine, "app")
	oldest, kept := p.image("v1", "base", "one"), p.image("v2", "base", "two")
	part := p.ask("GET", "manifests/v1", nil).body
	list := index([]byte(part))
	p.ask("PUT", "manifests/list", bytes.NewReader(list)).is(201)
	p.image("v3", "three")
	keep := []string{kept}
	must(t, s.Retain(t.Context(), mine, keep))
	s.expectFiles(hexOf("one"), hexOf("three"), "tags/v1")

	s.pass(2 * time.Hour)
	must(t, s.Retain(t.Context(), theirs, nil))
	must(t, s.Retain(t.Context(), mine, []string{digestOf(list), kept}))
	must(t, s.Sweep(t.Context()))
	p = s.pusher(mine, "app")
	p.ask("GET", "manifests/"+oldest, nil).is(200)
	p.ask("GET", "manifests/v1", nil).is(200)
	p.ask("GET", "manifests/v3", nil).is(404)
	s.expectNone(hexOf("three"), "tags/v3")
	s.expectFiles(hexOf("one"), hexOf("two"), hexOf("base"))

	must(t, s.Retain(t.Context(), mine, keep))
	must(t, s.Sweep(t.Context()))
	s.expectNone(hexOf("one"), "tags/v1", "tags/list")
	s.expectFiles(hexOf("two"), hexOf("base"), "tags/v2")
}

func TestSweepLeavesAManifestThatCanNotBeRead(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	digest := p.image("v1", "layer")
	must(t, os.WriteFile(filepath.Join(s.folder, "repositories", string(mine), "app", "manifests", strings.TrimPrefix(digest, "sha256:")), []byte("torn"), 0o600))
	s.pass(48 * time.Hour)
	if err := s.Sweep(t.Context()); err == nil {
		t.Error("the sweep says nothing")
	}
	s.expectFiles(hexOf("layer"))
	s.pusher(mine, "app").ask("GET", "manifests/v1", nil).refused(500, "UNKNOWN")
}

// slow is a body that comes when it is let.
type slow struct {
	first string
	sent  chan struct{} // closed when the first part was taken
	rest  chan struct{} // blocks the rest
	once  sync.Once
}

func newSlow(first string) *slow {
	return &slow{first: first, sent: make(chan struct{}), rest: make(chan struct{})}
}

func (b *slow) Read(p []byte) (n int, err error) {
	if b.first != "" {
		n = copy(p, b.first)
		b.first = b.first[n:]
		return n, nil
	}
	b.once.Do(func() { close(b.sent) })
	<-b.rest
	return 0, io.ErrUnexpectedEOF
}

// arrives waits until an upload has so many bytes.
func (p pusher) arrives(at, want string) {
	p.s.t.Helper()
	for p.ask("GET", at, nil).is(204).header.Get("Range") != want {
		if p.s.t.Context().Err() != nil {
			p.s.t.Fatal("it never arrived")
		}
	}
}

func TestRemoveEndsAPush(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	at := p.begin()
	body := newSlow("some bytes")
	status := make(chan int)
	go func() {
		q, _ := http.NewRequest("PATCH", s.url+at, body)
		q.SetBasicAuth(slipway.RegistryUser, p.token)
		answer, err := s.server.Client().Do(q)
		if err != nil {
			status <- 0 // the connection was cut: as good
			return
		}
		answer.Body.Close()
		status <- answer.StatusCode
	}()
	<-body.sent
	p.arrives(at, "0-9")
	p.ask("PATCH", at, strings.NewReader("more")).refused(409, "BLOB_UPLOAD_INVALID")
	s.kill(mine)
	must(t, s.Remove(t.Context(), mine))
	if got := <-status; got != 401 && got != 0 {
		t.Errorf("the push was answered %d", got)
	}
	close(body.rest)
	if left := s.files(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	p.ask("POST", "blobs/uploads/", nil).refused(401, "UNAUTHORIZED")
}

// A removal that is given up, or that two begin at once, is done by the next.
func TestRemoveIsGivenUp(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	at := p.begin()
	body := newSlow("some bytes")
	defer close(body.rest)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		q, _ := http.NewRequest("PATCH", s.url+at, body)
		q.SetBasicAuth(slipway.RegistryUser, p.token)
		if answer, err := s.server.Client().Do(q); err == nil {
			answer.Body.Close()
		}
	}()
	<-body.sent
	p.arrives(at, "0-9")
	s.kill(mine)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Remove(ctx, mine) // done already, or given up
	<-ended
	testsignal.Until(t, "another removal", func() bool { return s.Remove(t.Context(), mine) == nil })
	if left := s.files(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	p.ask("POST", "blobs/uploads/", nil).refused(401, "UNAUTHORIZED")
}

func TestAPushThatBringsNothingIsCut(t *testing.T) {
	s := open(t, func(c *registry.Config) { c.Stalled = 20 * time.Millisecond })
	p := s.pusher(mine, "app")
	at := p.begin()
	body := newSlow("some bytes")
	defer close(body.rest)
	got := p.ask("PATCH", at, body).refused(408, "BLOB_UPLOAD_INVALID")
	if !strings.Contains(got.body, "20ms") {
		t.Errorf("it says %s", got.body)
	}
	p.arrives(at, "0-9")
}

func TestACutPushCanBeGoneOnWith(t *testing.T) {
	s := open(t)
	p := s.pusher(mine, "app")
	at := p.begin()
	body := newSlow("first half, ")
	go func() {
		<-body.sent
		p.arrives(at, "0-11")
		close(body.rest)
	}()
	q, _ := http.NewRequestWithContext(t.Context(), "PATCH", s.url+at, body)
	q.SetBasicAuth(slipway.RegistryUser, p.token)
	if _, err := s.server.Client().Do(q); err == nil {
		t.Fatal("the push was not cut")
	}
	for p.ask("PATCH", at, strings.NewReader("second half"), "Content-Range", "12-22").status == 409 {
		// the server has not seen yet that the first one is cut
	}
	p.ask("PUT", at+"?digest="+digestOf([]byte("first half, second half")), nil).is(201)
}

// atOnce has a sweep take what nobody refers to, however young.
func atOnce(c *registry.Config) { c.Grace, c.Now = 5*time.Millisecond, time.Now }

// insist pushes bytes until a sweep lets it.
func (p pusher) insist(content []byte) {
	for {
		got := p.ask("POST", "blobs/uploads/?digest="+digestOf(content), bytes.NewReader(content))
		if got.status == http.StatusCreated {
			return
		}
		got.refused(404, "BLOB_UPLOAD_UNKNOWN")
	}
}

// Pushes of the same bytes, removals and sweeps at once: what was answered is
// there, and in the end nothing is left.
func TestManyAtOnce(t *testing.T) {
	s := open(t, atOnce)
	ctx, stop := context.WithCancel(t.Context())
	var sweeper, pushers sync.WaitGroup
	sweeper.Go(func() {
		for ctx.Err() == nil {
			if err := s.Sweep(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("sweep: %v", err)
			}
		}
	})
	for i := range 4 {
		pushers.Go(func() {
			d := slipway.DeploymentID(fmt.Sprintf("01900000-0000-7000-8000-%012d", i))
			p := s.pusher(d, "app")
			for n := range 30 {
				content := fmt.Appendf(nil, "layer %d, which everybody pushes", n%3)
				p.insist(content)
				back := p.ask("GET", "blobs/"+digestOf(content), nil)
				if back.status == 200 && back.body != string(content) || back.status != 200 && back.status != 404 {
					t.Errorf("pull: %d %q", back.status, back.body)
				}
				if n%10 == 9 {
					if err := s.Remove(ctx, d); err != nil {
						t.Errorf("remove: %v", err)
					}
				}
			}
		})
	}
	pushers.Wait()
	stop()
	sweeper.Wait()
	must(t, s.Sweep(t.Context()))
	if left := s.files(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// A manifest that is answered with 201 has all its parts, whatever is swept
// meanwhile.
func TestSweepAndManifestsAtOnce(t *testing.T) {
	s := open(t, atOnce)
	ctx, stop := context.WithCancel(t.Context())
	var sweeper sync.WaitGroup
	sweeper.Go(func() {
		for ctx.Err() == nil {
			_ = s.Sweep(ctx)
		}
	})
	p := s.pusher(mine, "app")
	stored := 0
	for n := range 25 {
		config, layer := fmt.Appendf(nil, "config %d", n), fmt.Appendf(nil, "layer %d", n)
		p.insist(config)
		p.insist(layer)
		content := manifest(config, layer)
		switch got := p.ask("PUT", "manifests/v"+fmt.Sprint(n), bytes.NewReader(content)); got.status {
		case 201:
			stored++
			p.ask("GET", "blobs/"+digestOf(config), nil).is(200)
			p.ask("GET", "blobs/"+digestOf(layer), nil).is(200)
		case 404:
			got.refused(404, "MANIFEST_BLOB_UNKNOWN")
		default:
			t.Errorf("manifest: %d %s", got.status, got.body)
		}
	}
	stop()
	sweeper.Wait()
	t.Logf("%d of 25 manifests were stored", stored)
}
