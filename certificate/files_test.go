package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write makes a certificate for names, and its key.
func write(t *testing.T, dir string, serial int64, names ...string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: names,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}), 0o600))
	return cert, key
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Files are read again when they change, and what does not fit changes nothing.
func TestFilesChange(t *testing.T) {
	dir, log := t.TempDir(), &bytes.Buffer{}
	cert, key := write(t, dir, 1, "*.example.com")
	f, err := OpenFiles(cert, key, slog.New(slog.NewTextHandler(log, nil)))
	must(t, err)
	now := time.Now()
	f.now = func() time.Time { now = now.Add(lookEvery); return now }
	serial := func() int64 {
		t.Helper()
		c, err := f.GetCertificate(nil)
		must(t, err)
		return c.Leaf.SerialNumber.Int64()
	}
	if n := serial(); n != 1 || !f.Covers("a.example.com") || f.Covers("example.com") {
		t.Errorf("serial %d", n)
	}
	old, err := os.ReadFile(key)
	must(t, err)
	write(t, dir, 2, "example.com")
	later := time.Now().Add(time.Minute)
	fresh, err := os.ReadFile(key)
	must(t, err)
	must(t, os.WriteFile(key, old, 0o600)) // the certificate was written, the key was not yet
	must(t, os.Chtimes(cert, later, later))
	for range 2 {
		if n := serial(); n != 1 {
			t.Errorf("serial %d with another's key", n)
		}
	}
	if n := strings.Count(log.String(), "is not used"); n != 1 {
		t.Errorf("told %d times: %s", n, log)
	}
	must(t, os.WriteFile(key, fresh, 0o600))
	must(t, os.Chtimes(key, later, later))
	if n := serial(); n != 2 || !f.Covers("example.com") {
		t.Errorf("serial %d after the change", n)
	}
	must(t, os.Remove(cert))
	if n := serial(); n != 2 {
		t.Errorf("serial %d without a file", n)
	}
}

func TestFilesMissing(t *testing.T) {
	if _, err := OpenFiles("none.pem", "none.key", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "none.pem") {
		t.Errorf("error %v", err)
	}
}
