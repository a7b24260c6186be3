// Package pebbletest runs Pebble, Let's Encrypt's certificate authority for
// tests. It looks at names as a real one does, over connections, but finds every
// name on this machine.
package pebbletest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Authority is a Pebble.
type Authority struct {
	Directory string // URL
	Root      string // file that vouches for the directory

	t       testing.TB
	dir     string
	manage  string // host:port
	program string
	dns     string
	cmd     *exec.Cmd
	said    bytes.Buffer
}

// Start starts a Pebble that asks names for proof on these ports, over HTTP and
// over TLS. It ends with the test.
func Start(t testing.TB, plainPort, port int) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: t.TempDir(), program: program(t), dns: answerNames(t)}
	listen := FreeAddress(t)
	a.manage = FreeAddress(t)
	a.Directory, a.Root = "https://"+listen+"/dir", filepath.Join(a.dir, "cert.pem")
	a.makeCertificate()
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": a.manage,
		"certificate": a.Root, "privateKey": filepath.Join(a.dir, "key.pem"),
		"httpPort": plainPort, "tlsPort": port, "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 1, "order": 1},
	}})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(a.dir, "config.json"), config, 0o600))
	a.Resume()
	t.Cleanup(a.Stop)
	return a
}

// Stop ends it. All that it knows is gone.
func (a *Authority) Stop() {
	if a.cmd == nil {
		return
	}
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
	a.cmd = nil
	if a.t.Failed() {
		a.t.Logf("Pebble: %s", a.said.String())
	}
}

// Resume starts it again.
func (a *Authority) Resume() {
	a.t.Helper()
	a.cmd = exec.Command(a.program, "-config", filepath.Join(a.dir, "config.json"), "-dnsserver", a.dns)
	a.cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
	a.cmd.Stdout, a.cmd.Stderr = &a.said, &a.said
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(a.t, a.cmd.Start())
	for _, url := range []string{a.Directory, "https://" + a.manage + "/roots/0"} {
		for a.get(url) == nil {
			if err := a.t.Context().Err(); err != nil {
				a.t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond) // between questions, not for an answer
		}
	}
}

// Roots vouch, through Intermediates, for the certificates that it has issued
// since its start.
func (a *Authority) Roots() *x509.CertPool { return a.pool("roots") }

// Intermediates stand between its roots and its certificates.
func (a *Authority) Intermediates() *x509.CertPool { return a.pool("intermediates") }

func (a *Authority) pool(of string) *x509.CertPool {
	a.t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.get("https://" + a.manage + "/" + of + "/0")) {
		a.t.Fatalf("Pebble has no %s", of)
	}
	return pool
}

// get returns nil if there is no answer.
func (a *Authority) get(url string) []byte {
	text, err := os.ReadFile(a.Root)
	must(a.t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	res, err := c.Get(url)
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return nil
	}
	return body
}

// makeCertificate makes one for the directory itself.
func (a *Authority) makeCertificate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(a.t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	must(a.t, err)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: raw}} {
		must(a.t, os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(block), 0o600))
	}
}

// program builds Pebble, or finds it in Go's cache.
func program(t testing.TB) string {
	t.Helper()
	module, err := exec.Command("go", "env", "GOMOD").Output()
	must(t, err)
	tools := filepath.Join(filepath.Dir(strings.TrimSpace(string(module))), "tools", "pebble.mod")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "tool", "-modfile="+tools, "-n", "pebble")
	var said bytes.Buffer
	cmd.Stderr = &said
	path, err := cmd.Output()
	if err != nil {
		t.Fatalf("build Pebble: %v\n%s", err, said.String())
	}
	return strings.TrimSpace(string(path))
}

// FreeAddress names a port that nothing listens on, from below those that the
// system gives to connections: it stays free for who means to listen there soon.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 30000+mathrand.IntN(2700)))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		must(t, err)
		must(t, l.Close())
		return l.Addr().String()
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(fmt.Errorf("pebbletest: %w", err))
	}
}
