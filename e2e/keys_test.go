package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"strings"
)

// ask sends a request of the API and returns the status and the decoded body.
func (s *server) ask(method, path string, body any) (int, map[string]any) {
	s.t.Helper()
	raw, err := json.Marshal(body)
	must(s.t, err)
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(raw))
	must(s.t, err)
	r.Header.Set("X-Api-Key", s.key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	must(s.t, err)
	defer answer.Body.Close()
	raw, err = io.ReadAll(answer.Body)
	must(s.t, err)
	var decoded map[string]any
	_ = json.Unmarshal(raw, &decoded)
	return answer.StatusCode, decoded
}

// makes sends a request that makes something.
func (s *server) makes(path string, body any) map[string]any {
	s.t.Helper()
	status, made := s.ask(http.MethodPost, path, body)
	if status != http.StatusCreated {
		s.t.Fatalf("POST %s: %d %v", path, status, made)
	}
	return made
}

// otherWorkspace makes a workspace and a key of it with every right.
func (s *server) otherWorkspace() (key string) {
	s.t.Helper()
	id := s.makes("/v1/workspaces", map[string]any{"name": "other"})["id"]
	return s.newKey(map[string]any{"workspace_id": id})
}

// rootKey is an organisation key with every right, secret values included. Only
// whoever has the server's folder can make the first such key.
func (s *server) rootKey() string {
	s.t.Helper()
	args := []string{"admin", "key", "--data", s.data, "--organization", "--output", "-"}
	for _, scope := range []string{"read", "deploy", "delete", "admin", "secrets:read"} {
		args = append(args, "--scope", scope)
	}
	out, err := exec.CommandContext(s.t.Context(), binary, args...).Output()
	must(s.t, err)
	return strings.TrimSpace(string(out))
}

func (s *server) newKey(body map[string]any) string {
	s.t.Helper()
	body["name"] = "a key of the tests"
	if body["scopes"] == nil {
		body["scopes"] = []string{"read", "deploy", "delete", "admin"}
	}
	return s.makes("/v1/api-keys", body)["key"].(string)
}
