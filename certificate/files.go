package certificate

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often files are looked at, at most.
const lookEvery = time.Second

// Files is a certificate with its chain, and its key, in files in PEM.
type Files struct {
	cert, key string
	logger    *slog.Logger
	now       func() time.Time

	current atomic.Pointer[tls.Certificate]
	mu      sync.Mutex
	looked  time.Time
	seen    [2]stamp // of the files when they were last read, well or not
}

// stamp is what changes when a file does.
type stamp struct {
	modified time.Time
	size     int64
}

// OpenFiles reads a certificate and its key.
func OpenFiles(cert, key string, logger *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, logger: logger, now: time.Now}
	f.looked, f.seen = f.now(), f.stamps()
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Files) read() error {
	c, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("read certificate %s with key %s: %w", f.cert, f.key, err)
	}
	f.current.Store(&c)
	return nil
}

// GetCertificate is for a tls.Config. It gives every name the same certificate.
func (f *Files) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.renew()
	return f.current.Load(), nil
}

// Covers says whether clients take the certificate for that of a name.
func (f *Files) Covers(name string) bool { return f.current.Load().Leaf.VerifyHostname(name) == nil }

// renew reads files that have changed. Whoever writes them does not do both in
// one step: a pair that does not fit is looked at again when one changes.
func (f *Files) renew() {
	if !f.mu.TryLock() {
		return // someone is at it
	}
	defer f.mu.Unlock()
	if f.now().Sub(f.looked) < lookEvery {
		return
	}
	stamps := f.stamps()
	f.looked = f.now()
	if stamps == f.seen {
		return
	}
	f.seen = stamps
	if err := f.read(); err != nil {
		f.logger.Warn("changed certificate is not used, the one before is", slog.Any("error", err))
		return
	}
	f.logger.Info("certificate read again", slog.String("file", f.cert), slog.Time("until", f.current.Load().Leaf.NotAfter))
}

func (f *Files) stamps() (s [2]stamp) {
	for i, path := range []string{f.cert, f.key} {
		if about, err := os.Stat(path); err == nil {
			s[i] = stamp{about.ModTime(), about.Size()}
		}
	}
	return s
}

// Protocols are for a tls.Config's NextProtos.
func (f *Files) Protocols() []string { return []string{"h2", "http/1.1"} }

// Challenges leaves all to another handler: nobody asks.
func (f *Files) Challenges(rest http.Handler) http.Handler { return rest }

// Close does nothing.
func (f *Files) Close() {}
