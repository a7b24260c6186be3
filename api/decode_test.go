package api_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/api"
	"github.com/slipwayhq/slipway/api/check"
	"github.com/slipwayhq/slipway/api/wire"
)

// recorder is a server that keeps what reaches it; operations that no test calls are left out.
type recorder struct {
	wire.StrictServerInterface
	list   wire.ListDeploymentsParams
	create *wire.DeploymentCreateRequest
	id     string
}

func (s *recorder) ListDeployments(_ context.Context, r wire.ListDeploymentsRequestObject) (wire.ListDeploymentsResponseObject, error) {
	s.list = r.Params
	return wire.ListDeployments200JSONResponse{Resources: []wire.Deployment{}}, nil
}

func (s *recorder) CreateDeployment(_ context.Context, r wire.CreateDeploymentRequestObject) (wire.CreateDeploymentResponseObject, error) {
	s.create = r.Body
	return nil, errors.New("refused")
}

func (s *recorder) DeleteDeployment(_ context.Context, r wire.DeleteDeploymentRequestObject) (wire.DeleteDeploymentResponseObject, error) {
	s.id = r.DeploymentID
	return wire.DeleteDeployment204Response{}, nil
}

func newServer(t testing.TB, guard api.Guard) (*recorder, http.Handler) {
	t.Helper()
	set, err := check.Compile(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	server := &recorder{}
	strict := wire.NewStrictHandlerWithOptions(server, nil, wire.StrictHTTPServerOptions{
		ResponseErrorHandlerFunc: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusConflict)
		},
	})
	mux := http.NewServeMux()
	for _, base := range []string{"", "/api-host"} {
		wire.HandlerWithOptions(strict, wire.StdHTTPServerOptions{
			BaseURL: base, BaseRouter: api.CheckedMux(mux, base, set, guard),
		})
	}
	return server, mux
}

func call(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestQueryReachesHandlerInCanonicalForm(t *testing.T) {
	server, h := newServer(t, nil)
	w := call(h, "GET", "/api-host/v2/deployments?limit=+5+&remote_reconciled=Yes&name_contains=100%&x=;&offset=99999999999999999999", "")
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	p := server.list
	if *p.Limit != 5 || !*p.RemoteReconciled || *p.NameContains != "100%" || *p.Offset != 1<<63-1 {
		t.Errorf("got %d %v %q %d", *p.Limit, *p.RemoteReconciled, *p.NameContains, *p.Offset)
	}
}

const valid = `{"name":"a","NAME":"b","source":"github","source_config":{"build_on_push":"yes"},"source_revision_config":{},"secrets":[]}`

func TestBodyReachesHandlerInCanonicalForm(t *testing.T) {
	for _, kind := range []string{"", "application/json", "application/json; charset=utf-8", "application/vnd.x+json"} {
		server, h := newServer(t, nil)
		w := call(h, "POST", "/v2/deployments", valid, "Content-Type", kind)
		if w.Code != http.StatusConflict || server.create == nil {
			t.Fatalf("%q: %d %s", kind, w.Code, w.Body)
		}
		if server.create.Name != "a" || !*server.create.SourceConfig.BuildOnPush {
			t.Errorf("got %+v", server.create)
		}
	}
}

func TestIDReachesHandlerInCanonicalForm(t *testing.T) {
	server, h := newServer(t, nil)
	w := call(h, "DELETE", "/v2/deployments/DB5B5FAB8F4D3E27DDA1494C73CF256D?delete_tracing_project=True", "", "Content-Type", "application/json")
	if w.Code != http.StatusNoContent || server.id != "db5b5fab-8f4d-3e27-dda1-494c73cf256d" {
		t.Errorf("%d %q", w.Code, server.id)
	}
}

func TestRefusals(t *testing.T) {
	_, h := newServer(t, nil)
	for _, c := range []struct {
		name, method, target, body, kind string
		status                           int
		want                             string
	}{
		{"slash", "GET", "/v2/deployments/a%2Fb", "", "", 422, `invalid character: found`},
		{"null byte", "GET", "/v2/deployments/%00", "", "", 422, `"type":"uuid_parsing"`},
		{"dots", "DELETE", "/v2/deployments/%2e%2e", "", "", 422, `"type":"uuid_parsing"`},
		{"bad byte", "DELETE", "/v2/deployments/%ff", "", "", 422, `"type":"uuid_parsing"`},
		{"query", "GET", "/v2/deployments?limit=0", "", "", 422, `"loc":["query","limit"]`},
		{"no body", "POST", "/v2/deployments", "", "", 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]}`},
		{"form", "POST", "/v2/deployments", valid, "application/x-www-form-urlencoded", 422, `model_attributes_type`},
		{"syntax", "PATCH", "/v2/deployments/x", "{", "", 422, `{"detail":[{"type":"json_invalid","loc":["body",1],"msg":"JSON decode error","input":{},"ctx":{"error":"Expecting property name enclosed in double quotes"}}]}`},
		{"too large", "POST", "/v2/deployments", `"` + strings.Repeat("x", api.MaxBody) + `"`, "", 413, `{"detail":"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := call(h, c.method, c.target, c.body, "Content-Type", c.kind)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if got := w.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type is %q", got)
			}
		})
	}
}

func TestFaultsComeInOrderOfPathQueryBody(t *testing.T) {
	_, h := newServer(t, nil)
	body := call(h, "PATCH", "/v2/deployments/x", "3").Body.String()
	if p, b := strings.Index(body, `"path"`), strings.Index(body, `"body"`); p < 0 || b < p {
		t.Errorf("got %s", body)
	}
}

func TestGuardStandsOutside(t *testing.T) {
	var scopes []string
	_, h := newServer(t, func(op *check.Operation, _ http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			scopes = append(scopes, op.Extension("x-slipway-scope"))
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		if w := call(h, method, "/v2/deployments/x", "{"); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	if got := strings.Join(scopes, " "); got != "read deploy delete" {
		t.Errorf("got %s", got)
	}
}

func TestBrokenBody(t *testing.T) {
	_, h := newServer(t, nil)
	r := httptest.NewRequest("POST", "/v2/deployments", io.MultiReader(strings.NewReader("{"), broken{}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestUnknownPatternPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a pattern without an operation was registered")
		}
	}()
	set, err := check.Compile(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	api.CheckedMux(http.NewServeMux(), "", set, nil).HandleFunc("GET /nowhere", nil)
}
