package image

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/moby/moby/client"
)

// session is a connection over which BuildKit asks for secrets while it builds:
// gRPC, with the engine for its client. It answers two calls, which is less than
// BuildKit's own package for it brings along.
type session struct {
	id      string
	secrets map[string][]byte
	server  *http.Server
	ended   sync.WaitGroup
}

const (
	callSecret = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
	callHealth = "/grpc.health.v1.Health/Check"
)

// Codes of gRPC.
const (
	grpcOK            = 0
	grpcNotFound      = 5
	grpcUnimplemented = 12
	grpcInvalid       = 3
)

// maxQuestion is what is read of a call: the id of a secret.
const maxQuestion = 64 << 10

// openSession offers secrets to builds that name the session, until it is closed.
func openSession(ctx context.Context, c *client.Client, secrets map[string][]byte) (*session, error) {
	s := &session{id: rand.Text(), secrets: secrets}
	conn, err := c.DialHijack(ctx, "/session", "h2c", map[string][]string{
		"X-Docker-Expose-Session-Uuid":        {s.id},
		"X-Docker-Expose-Session-Name":        {"slipway"},
		"X-Docker-Expose-Session-Sharedkey":   {""},
		"X-Docker-Expose-Session-Grpc-Method": {callSecret, callHealth},
	})
	if err != nil {
		return nil, err
	}
	s.server = &http.Server{Handler: s, Protocols: new(http.Protocols)}
	s.server.Protocols.SetUnencryptedHTTP2(true)
	one := &single{conn: conn, closed: make(chan struct{})}
	s.ended.Go(func() { s.server.Serve(one) })
	return s, nil
}

func (s *session) close() {
	s.server.Close()
	s.ended.Wait()
}

// ServeHTTP answers a call: one message in, one out.
func (s *session) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	code, answer := s.answer(r)
	if code == grpcOK {
		w.Write(append([]byte{0}, binary.BigEndian.AppendUint32(nil, uint32(len(answer)))...))
		w.Write(answer)
	}
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(code))
	w.Header().Set(http.TrailerPrefix+"Grpc-Message", "")
}

func (s *session) answer(r *http.Request) (code int, answer []byte) {
	switch r.URL.Path {
	case callHealth:
		const serving = 1
		return grpcOK, varintField(1, serving)
	case callSecret:
		id, err := question(r.Body)
		if err != nil {
			return grpcInvalid, nil
		}
		content, ok := s.secrets[id]
		if !ok {
			return grpcNotFound, nil
		}
		return grpcOK, bytesField(1, content)
	}
	return grpcUnimplemented, nil
}

// question reads which secret is asked for.
func question(body io.Reader) (id string, err error) {
	framed, err := io.ReadAll(io.LimitReader(body, maxQuestion))
	if err != nil {
		return "", err
	}
	const frame = 5 // whether it is compressed, its length
	if len(framed) < frame || framed[0] != 0 || uint32(len(framed)-frame) != binary.BigEndian.Uint32(framed[1:]) {
		return "", errMalformed
	}
	err = fields(framed[frame:], func(number int, _ uint64, bytes []byte) error {
		if number == 1 {
			id = string(bytes)
		}
		return nil
	})
	return id, err
}

// single is a listener of one connection that is there already.
type single struct {
	mu     sync.Mutex
	conn   net.Conn
	once   sync.Once
	closed chan struct{}
}

// Accept returns the connection, and then waits for Close.
func (l *single) Accept() (net.Conn, error) {
	l.mu.Lock()
	conn := l.conn
	l.conn = nil
	l.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

// Close ends Accept.
func (l *single) Close() error {
	l.once.Do(func() { close(l.closed) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil
	}
	return l.conn.Close()
}

// Addr is the connection's place, which nobody asks for.
func (l *single) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "session"} }
