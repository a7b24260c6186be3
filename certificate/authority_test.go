package certificate_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/certificate"
	"github.com/slipwayhq/slipway/internal/pebbletest"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// site is a server whose certificates are Pebble's.
type site struct {
	*certificate.Authority
	t             *testing.T
	config        certificate.Config
	pebble        *pebbletest.Authority
	secure, plain net.Listener
	asked         atomic.Int64 // whether a name is ours
	ahead         atomic.Int64 // nanoseconds of the clock
	log           *said
}

// said is a log that can be waited for.
type said struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func newSaid() *said { return &said{wrote: make(chan struct{})} }

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.wrote)
	s.wrote = make(chan struct{})
	return s.text.Write(p)
}

// await returns once a text was said so often.
func (s *said) await(text string, times int) {
	for {
		s.mu.Lock()
		n, wrote := strings.Count(s.text.String(), text), s.wrote
		s.mu.Unlock()
		if n >= times {
			return
		}
		<-wrote
	}
}

func (s *said) count(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), text)
}

// open serves at two ports. Those that Pebble asks may be others.
func open(t *testing.T, edit func(*site)) *site {
	t.Helper()
	if testing.Short() {
		t.Skip("builds another module")
	}
	s := &site{t: t, log: newSaid(), secure: listen(t), plain: listen(t)}
	s.config = certificate.Config{
		Dir: folder(t), Port: port(s.secure), PlainPort: port(s.plain),
		Decide: func(_ context.Context, name string) error {
			if s.asked.Add(1); !strings.HasPrefix(name, "ours") {
				return errors.New("not ours")
			}
			return nil
		},
		Now:    func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) },
		Logger: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	pebble := [2]int{s.config.PlainPort, s.config.Port}
	if edit != nil {
		edit(s)
	}
	if s.config.PlainPort == 0 {
		pebble[0] = port(closed(t))
	}
	if s.config.Port == 0 {
		pebble[1], s.config.Port = port(closed(t)), port(s.secure)
	}
	s.pebble = pebbletest.Start(t, pebble[0], pebble[1])
	s.config.Directory, s.config.Roots = s.pebble.Directory, s.pebble.Root
	s.reopen()
	t.Cleanup(func() {
		s.Close()
		if t.Failed() {
			t.Logf("said:\n%s", s.log.text.String())
		}
	})
	s.serve()
	return s
}

func (s *site) reopen() {
	s.t.Helper()
	if s.Authority != nil {
		s.Close()
	}
	var err error
	s.Authority, err = certificate.OpenAuthority(s.config)
	must(s.t, err)
}

func (s *site) serve() {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(r.Proto)) })
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure := &http.Server{Handler: hello, ErrorLog: quiet, TLSConfig: &tls.Config{
		NextProtos:     s.Protocols(),
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return s.GetCertificate(h) },
	}}
	plain := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Challenges(hello).ServeHTTP(w, r)
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = secure.ServeTLS(s.secure, "", "") })
	serving.Go(func() { _ = plain.Serve(s.plain) })
	s.t.Cleanup(func() { secure.Close(); plain.Close(); serving.Wait() })
}

// shake shakes hands for a name and returns the certificate.
func (s *site) shake(name string) (*x509.Certificate, error) {
	c, err := tls.Dial("tcp", s.secure.Addr().String(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0], nil
}

// get has a certificate that Pebble vouches for.
func (s *site) get(name string) *x509.Certificate {
	s.t.Helper()
	c, err := s.shake(name)
	must(s.t, err)
	if _, err := c.Verify(x509.VerifyOptions{DNSName: name, Roots: s.pebble.Roots(), Intermediates: s.pebble.Intermediates()}); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// folder is removed at the end, as far as nothing is being written there.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "certificates-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return l
}

func closed(t *testing.T) net.Listener {
	l := listen(t)
	l.Close()
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Each test has names of its own: certmagic knows of what is being obtained by
// name, in all of the process.

// A name gets a certificate at its first handshake, and only one of ours: by
// proof over TLS alone and over HTTP alone.
func TestIssue(t *testing.T) {
	for kind, edit := range map[string]func(*site){
		"over TLS":  func(s *site) { s.config.PlainPort = 0 },
		"over HTTP": func(s *site) { s.config.Port = 0 },
	} {
		t.Run(kind, func(t *testing.T) {
			name := "ours-" + strings.ReplaceAll(strings.ToLower(kind), " ", "-") + ".example.com"
			s := open(t, edit)
			first := s.get(name)
			if again := s.get(name); again.SerialNumber.Cmp(first.SerialNumber) != 0 {
				t.Error("the second handshake got another certificate")
			}
			if c, err := s.shake("theirs.example.com"); err == nil {
				t.Errorf("a certificate for a stranger: %v", c.DNSNames)
			}
			if n := s.log.count("certificate obtained"); n != 1 || s.log.count("level=WARN") > 0 {
				t.Errorf("%d certificates obtained\n%s", n, s.log.text.String())
			}
		})
	}
}

// What was obtained is there after a restart, with the authority away.
func TestRestart(t *testing.T) {
	s := open(t, nil)
	was, roots := s.get("ours-restart.example.com"), s.pebble
	s.pebble.Stop()
	s.reopen()
	now, err := s.shake("ours-restart.example.com")
	must(t, err)
	if now.SerialNumber.Cmp(was.SerialNumber) != 0 {
		t.Errorf("another certificate after a restart of %v", roots.Directory)
	}
}

// What is removed of a name leaves nothing of it, and nothing of others. Its next
// client gets another certificate.
func TestRemove(t *testing.T) {
	s := open(t, nil)
	const gone, other = "ours-gone.example.com", "ours-gone.example.com.au"
	was, stays := s.get(gone), s.get(other)
	kept := certificate.FolderAt(s.config.Dir)
	list := func() string {
		names, err := kept.Names(t.Context())
		must(t, err)
		return strings.Join(names, " ")
	}
	if got := list(); got != gone+" "+other {
		t.Errorf("there are %q", got)
	}
	for range 2 {
		s.Forget(gone)
		must(t, kept.Remove(t.Context(), gone))
	}
	if got := list(); got != other {
		t.Errorf("left are %q", got)
	}
	must(t, filepath.WalkDir(s.config.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(strings.ReplaceAll(path, other, ""), gone) {
			t.Errorf("%s is left", path)
		}
		return err
	}))
	if now := s.get(gone); now.SerialNumber.Cmp(was.SerialNumber) == 0 {
		t.Error("what was removed is served")
	}
	if now := s.get(other); now.SerialNumber.Cmp(stays.SerialNumber) != 0 {
		t.Error("another name got another certificate")
	}
	none, err := certificate.FolderAt(filepath.Join(s.config.Dir, "none")).Names(t.Context())
	if err != nil || len(none) > 0 {
		t.Errorf("in no folder: %v, %v", none, err)
	}
}

// A certificate at the end of its life is renewed while it goes on serving, by
// whoever comes next.
func TestRenewal(t *testing.T) {
	s := open(t, func(s *site) { s.config.RenewalWindow = 1 })
	was := s.get("ours-renewal.example.com")
	if now := s.get("ours-renewal.example.com"); now.SerialNumber.Cmp(was.SerialNumber) != 0 {
		t.Error("a handshake waited for the renewal")
	}
	s.log.await("certificate obtained", 2)
	// It is stored before it is served.
	testsignal.Until(t, "the new one to be served", func() bool { return s.get("ours-renewal.example.com").SerialNumber.Cmp(was.SerialNumber) != 0 })
}

// An authority that is away is asked rarely, and told of. What is good goes on
// serving; what was not to be had is got later.
func TestAuthorityAway(t *testing.T) {
	s := open(t, func(s *site) { s.config.RenewalWindow = 1 })
	was := s.get("ours-away.example.com")
	s.pebble.Stop()
	for range 5 {
		if now, err := s.shake("ours-away.example.com"); err != nil || now.SerialNumber.Cmp(was.SerialNumber) != 0 {
			t.Fatalf("the old certificate does not go on: %v", err)
		}
		if _, err := s.shake("ours-too.example.com"); err == nil {
			t.Fatal("a certificate from nowhere")
		}
	}
	s.log.await("certificate not obtained", 2)
	if n := s.log.count("name=ours-too.example.com failures="); n != 1 {
		t.Errorf("%d questions for one name\n%s", n, s.log.text.String())
	}
	s.pebble.Resume()
	if _, err := s.shake("ours-too.example.com"); err == nil {
		t.Error("asked at once after a failure")
	}
	// One try more is for the account, which the authority has forgotten.
	for hour := range 2 {
		s.ahead.Store(int64(time.Duration(hour+1) * time.Hour))
		if _, err := s.shake("ours-too.example.com"); err == nil {
			break
		}
	}
	s.get("ours-too.example.com")
}
