package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// answerWithin is how long the contract gives the server (§1).
const answerWithin = 30 * time.Second

// session is one run against one server.
type session struct {
	target  Target
	options Options
	http    *http.Client
	prefix  string // of every name that this run makes
	names   int
	shared  []thing // made for several cases

	extensions func() bool
	failed     fixture // a deployment whose build failed
	deployed   fixture // one that serves the app
}

func newSession(ctx context.Context, target Target, options Options) *session {
	target.URL = strings.TrimRight(target.URL, "/")
	if target.Image == "" {
		target.Image = "registry.invalid/conformance/none:1"
	}
	s := &session{target: target, options: options, prefix: "conf-" + randomSuffix()}
	s.http = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	s.extensions = sync.OnceValue(func() bool { return options.Extensions || s.marksExtensions(ctx) })
	return s
}

// marksExtensions says whether the served document has additions of ours.
func (s *session) marksExtensions(ctx context.Context) bool {
	r, err := s.send(ctx, request{method: http.MethodGet, path: "/openapi.json"})
	return err == nil && r.status == http.StatusOK && bytes.Contains(r.raw, []byte(`"x-slipway-extension"`))
}

// name returns a name that nothing else bears.
func (s *session) name() string {
	s.names++
	return s.prefix + "-" + strconv.Itoa(s.names)
}

// redact takes keys and signatures out of what is shown.
func (s *session) redact(text string) string {
	for _, key := range []string{s.target.Key, s.target.OtherKey, s.target.OrgKey} {
		if key != "" {
			text = strings.ReplaceAll(text, key, "<key>")
		}
	}
	return signature.ReplaceAllString(text, "$1=<cut>")
}

var signature = regexp.MustCompile(`(?i)([a-z-]*signature|token)=[^&"\s]+`)

// request is one that a case sends.
type request struct {
	method, path string // path may hold a query, or be a whole address
	header       http.Header
	body         io.Reader
	length       int64 // of the body, -1 to send it in chunks
}

// set changes a request before it is sent.
type set func(*request)

// json sends a value as the body.
func jsonBody(v any) set {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return rawBody("application/json", raw)
}

func rawBody(contentType string, raw []byte) set {
	return func(r *request) {
		r.header.Set("Content-Type", contentType)
		r.body, r.length = bytes.NewReader(raw), int64(len(raw))
	}
}

func header(name, value string) set { return func(r *request) { r.header.Set(name, value) } }

// exactHeader sends a header's name in just this spelling.
func exactHeader(name, value string) set {
	return func(r *request) { r.header[name] = []string{value} }
}

// as sends another key, or none if it is empty.
func as(key string) set {
	return func(r *request) {
		r.header.Del("X-Api-Key")
		if key != "" {
			r.header.Set("X-Api-Key", key)
		}
	}
}

// call asks the server, and stops the case if there is no answer. A redirect is
// wrong whatever was asked (§1), and so is that the server broke.
func (t *T) call(method, path string, sets ...set) *answer {
	r := request{method: method, path: path, header: http.Header{"Accept": {"application/json"}}}
	as(t.target.Key)(&r)
	for _, s := range sets {
		s(&r)
	}
	shown, _, _ := strings.Cut(path, "?")
	if !strings.HasPrefix(path, "http") {
		shown = path
	}
	t.last = method + " " + shown
	a, err := t.send(t.ctx, r)
	if err != nil {
		t.stop("an answer within "+answerWithin.String(), err.Error())
	}
	a.t = t
	t.remember(r, a)
	if a.status >= 300 && a.status <= 399 {
		t.stop("no redirect", fmt.Sprintf("%d to %s", a.status, a.header.Get("Location")))
	}
	if a.status >= 500 && a.status != http.StatusNotImplemented {
		t.stop("no failure of the server's own", a.String())
	}
	return a
}

func (t *T) get(path string, sets ...set) *answer { return t.call(http.MethodGet, path, sets...) }

func (t *T) delete(path string, sets ...set) *answer { return t.call(http.MethodDelete, path, sets...) }

func (t *T) post(path string, body any, sets ...set) *answer {
	return t.call(http.MethodPost, path, append([]set{jsonBody(body)}, sets...)...)
}

func (t *T) patch(path string, body any, sets ...set) *answer {
	return t.call(http.MethodPatch, path, append([]set{jsonBody(body)}, sets...)...)
}

// slowest bounds how often a request is sent again that came too early.
const slowest = 20

// send sends a request, again if the server asks for patience.
func (s *session) send(ctx context.Context, r request) (*answer, error) {
	for try := 1; ; try++ {
		a, err := s.once(ctx, r)
		if err != nil || a.status != http.StatusTooManyRequests || try == slowest {
			return a, err
		}
		seconds, _ := strconv.Atoi(a.header.Get("Retry-After"))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Duration(max(seconds, 1)) * time.Second):
		}
		if seeker, ok := r.body.(io.Seeker); ok {
			if _, err := seeker.Seek(0, io.SeekStart); err != nil {
				return nil, err
			}
		}
	}
}

func (s *session) once(ctx context.Context, r request) (*answer, error) {
	address := r.path
	if !strings.HasPrefix(address, "http") {
		address = s.target.URL + address
	}
	limit := answerWithin
	if r.method == http.MethodPut {
		limit = 10 * answerWithin // uploads may take as long (§5)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.method == http.MethodPost { // whoever interrupts us must find what it makes
		ctx = context.WithoutCancel(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, r.method, address, r.body)
	if err != nil {
		return nil, err
	}
	ask.Header, ask.ContentLength = r.header, r.length
	resp, err := s.http.Do(ask)
	if err != nil {
		return nil, hideQuery(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	a := &answer{status: resp.StatusCode, header: resp.Header, raw: raw}
	a.decode()
	return a, nil
}

// hideQuery takes the address, which may authorise, out of a transport's error.
func hideQuery(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}
