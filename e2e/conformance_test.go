package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/slipwayhq/slipway/api/conformance"
	"github.com/slipwayhq/slipway/client"
)

// conformance is the command against a server, with every key that it takes.
func (s *server) conformance(other, org string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), binary, append([]string{"conformance", "--url", s.url}, args...)...)
	cmd.Env = append(os.Environ(), "SLIPWAY_API_KEY="+s.key, "SLIPWAY_OTHER_API_KEY="+other, "SLIPWAY_ORG_API_KEY="+org)
	return cmd
}

func TestConformance(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cmd := s.conformance(s.otherWorkspace(), s.rootKey(), "--json", "--app", echo, "--patience", patience.String())
	out, err := cmd.Output()
	var report conformance.Report
	if json.Unmarshal(out, &report) != nil {
		t.Fatalf("%v: %s\n%s", err, out, stderr(err))
	}
	for _, r := range report.Results {
		t.Run(r.Group+"/"+r.Name, func(t *testing.T) {
			for _, m := range r.Mismatches {
				t.Errorf("%s: %s\nexpected: %s\nseen:     %s", r.Section, m.Request, m.Want, m.Seen)
			}
			if r.Outcome == conformance.NotRun {
				t.Errorf("not run: %s", r.Reason)
			}
		})
	}
	if len(report.Results) != len(conformance.Cases()) {
		t.Errorf("%d results of %d cases", len(report.Results), len(conformance.Cases()))
	}
	if err != nil {
		t.Errorf("the command: %v: %s", err, stderr(err))
	}
	if found, err := s.Deployments(t.Context(), client.Filter{}); err != nil || len(found) > 0 {
		t.Errorf("left behind: %v %v", found, err)
	}
	s.expectNoErrors(t)
}

// expectNoErrors looks for lines of the server's log that say that it broke.
func (s *server) expectNoErrors(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(s.log)
	must(t, err)
	for line := range strings.Lines(string(raw)) {
		if strings.Contains(line, "level=ERROR") || strings.Contains(line, "panic") {
			t.Errorf("the server's log: %s", line)
		}
	}
}

func TestConformanceUnderThePrefix(t *testing.T) {
	t.Parallel()
	s := serverOn(t, filepath.Join(t.TempDir(), "data"))
	report := conformance.Run(t.Context(), conformance.Target{URL: s.url + "/api-host", Key: s.key}, conformance.Options{
		Quick: true, Only: regexp.MustCompile("^(http|lists|create|uploads)/"),
	})
	if bad := failures(report); len(bad) > 0 || !report.OK() {
		t.Errorf("under /api-host fail: %v", bad)
	}
}

func failures(r conformance.Report) (names []string) {
	for _, r := range r.Results {
		if r.Outcome == conformance.Failed {
			names = append(names, r.Group+"/"+r.Name)
		}
	}
	return names
}

// alteration is a way in which a server is wrong.
type alteration struct {
	name   string
	method string
	path   string // regular expression, of path and query
	status int    // of the answers to change
	change func(*http.Response, []byte) []byte
	only   string
	want   []string // the cases that see it
}

func swap(old, new string) func(*http.Response, []byte) []byte {
	return func(_ *http.Response, body []byte) []byte { return bytes.ReplaceAll(body, []byte(old), []byte(new)) }
}

var alterations = []alteration{
	{
		"a conflict that may be retried", http.MethodPost, "^/v2/deployments$", http.StatusConflict,
		func(r *http.Response, body []byte) []byte { r.Header.Del("X-Should-Retry"); return body },
		"^(http|create|lists)/",
		[]string{"http/a name conflict tells the client not to retry"},
	},
	{
		"200 for 204", http.MethodPost, "/interrupt$", http.StatusNoContent,
		func(r *http.Response, body []byte) []byte { r.StatusCode = http.StatusOK; return body },
		"^(revisions|deletion/DELETE)",
		[]string{"revisions/interrupt is its older name"},
	},
	{
		"an offset that stands still", http.MethodGet, `^/v2/deployments\?limit=2&offset=2`, http.StatusOK,
		swap(`"offset":3`, `"offset":2`), "^(http|lists)/",
		[]string{"lists/pages follow each other"},
	},
	{
		"null for an empty list", http.MethodGet, `^/v2/deployments\?name_contains=`, http.StatusOK,
		swap(`"resources":[]`, `"resources":null`), "^(http|lists/an empty list)",
		[]string{"lists/an empty list is [], not null"},
	},
	{
		"a redirect", http.MethodGet, "^/v2/deployments/$", http.StatusNotFound,
		func(r *http.Response, body []byte) []byte {
			r.StatusCode = http.StatusTemporaryRedirect
			r.Header.Set("Location", "/v2/deployments")
			return body
		},
		"^http/",
		[]string{"http/a trailing slash is no redirect"},
	},
	{
		"an empty next_offset", http.MethodPost, "/deploy_logs$", http.StatusOK,
		func(_ *http.Response, body []byte) []byte {
			return regexp.MustCompile(`"next_offset":"[^"]*"`).ReplaceAll(body, []byte(`"next_offset":""`))
		},
		"^logs/",
		[]string{"logs/an empty log has a next_offset too", "logs/deploy logs answer alike"},
	},
	{
		"a secret in clear", http.MethodGet, "^/v2/deployments/[0-9a-f-]*$", http.StatusOK,
		swap(`"value":"********"`, `"value":"value of ONE"`), "^secrets/",
		[]string{"secrets/values come back masked, never null"},
	},
	{
		"a receipt without proof", http.MethodGet, "^/v1/deletions/", http.StatusOK,
		func(_ *http.Response, body []byte) []byte {
			return regexp.MustCompile(`"verified_at":"[^"]*"`).ReplaceAll(body, []byte(`"verified_at":null`))
		},
		"^undo/(deleted now|now is)",
		[]string{"undo/deleted now, nothing is kept aside"},
	},
	{
		"a text of a validator's other version", http.MethodPost, "^/v2/deployments$", http.StatusUnprocessableEntity,
		swap(`"msg":"Input should be a valid list"`, `"msg":"Input should be a list"`), "^(http|validation/create: (list|string)_type)",
		[]string{"validation/create: list_type"},
	},
}

// The tool sees what is wrong, and nothing else.
func TestConformanceSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := serverOn(t, filepath.Join(t.TempDir(), "data"))
	for _, a := range alterations {
		t.Run(a.name, func(t *testing.T) {
			wrong := httptest.NewServer(a.between(t, s.url))
			defer wrong.Close()
			report := conformance.Run(t.Context(), conformance.Target{URL: wrong.URL, Key: s.key}, conformance.Options{
				Quick: true, Only: regexp.MustCompile(a.only),
			})
			if bad := failures(report); !slices.Equal(bad, a.want) {
				t.Errorf("fail: %q, want %q", bad, a.want)
			}
			if report.Count(conformance.Passed) == 0 {
				t.Error("nothing passes")
			}
		})
	}
}

// between passes requests on to a server and alters what it answers.
func (a alteration) between(t *testing.T, server string) http.Handler {
	address, err := url.Parse(server)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(address)
	path := regexp.MustCompile(a.path)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.Method != a.method || r.StatusCode != a.status || !path.MatchString(r.Request.URL.RequestURI()) {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = a.change(r, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
		r.Header.Del("Content-Length")
		return nil
	}
	return proxy
}

func TestConformanceCommand(t *testing.T) {
	t.Parallel()
	s := serverOn(t, filepath.Join(t.TempDir(), "data"))
	t.Run("prints a table", func(t *testing.T) {
		out, err := s.conformance("", "", "--only", "^(http/an error is a detail|auth/another)").CombinedOutput()
		if err != nil || !regexp.MustCompile(`(?m)^passed +§1 +fact +http +an error is a detail$`).Match(out) ||
			!strings.Contains(string(out), "not run") || !strings.Contains(string(out), "1 passed, 0 failed, 2 not run") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("ends with 1 when something fails", func(t *testing.T) {
		cmd := s.conformance("", "", "--only", "^auth/a key may")
		cmd.Env = append(cmd.Env, "SLIPWAY_API_KEY=wrong")
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "expected: status 200") || !strings.Contains(string(out), "seen:     401") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("ends with 2 when asked wrongly", func(t *testing.T) {
		cmd := s.conformance("", "", "--only", "(")
		if out, err := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != 2 {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("cleans up when interrupted", func(t *testing.T) {
		cmd := s.conformance("", "", "--only", "^(lists|create|secrets|patch)/")
		must(t, cmd.Start())
		eventually(t, "a deployment of the run", func() bool {
			found, err := s.Deployments(t.Context(), client.Filter{NameContains: "conf-"})
			return err == nil && len(found) > 0
		})
		must(t, cmd.Process.Signal(syscall.SIGINT))
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("after SIGINT: %v", err)
		}
		if found, err := s.Deployments(t.Context(), client.Filter{}); err != nil || len(found) > 0 {
			t.Errorf("left behind: %v %v", found, err)
		}
	})
}
