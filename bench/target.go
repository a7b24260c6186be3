package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"
)

// target is a server that keeps deployments, and how it is asked.
type target struct {
	name string
	*server
	*caller
	collection string              // path
	page       func(n int) string  // query of the page that begins at the nth
	body       func(string) []byte // of a create, by the deployment's name
	changed    int                 // status of an answer to a create
	ids        []string            // of those that stay
	passing    []string            // of those that the next delete removes
	size       int                 // of an answer to a get, in bytes
	made       int                 // names given so far
}

func (t *target) create(name string) call {
	return call{http.MethodPost, t.collection, t.body(name), t.changed}
}

func (t *target) get(id string) call {
	return call{method: http.MethodGet, path: t.collection + "/" + id, want: http.StatusOK}
}

func (t *target) list(offset int) call {
	return call{method: http.MethodGet, path: t.collection + "?" + t.page(offset), want: http.StatusOK}
}

// patch changes what makes no revision.
func (t *target) patch(id string, n int) call {
	return call{http.MethodPatch, t.collection + "/" + id, fmt.Appendf(nil, `{"display_name":"Display name %d"}`, n), http.StatusOK}
}

func (t *target) remove(id string) call {
	return call{method: http.MethodDelete, path: t.collection + "/" + id, want: http.StatusNoContent}
}

// pageLength is how many a list asks for.
const pageLength = 20

// slipwayTarget is a Slipway: the binary, or, where profiles are wanted, the
// same server in a child of the benchmark.
func (l *lab) slipwayTarget(ctx context.Context) (*target, error) {
	s, err := l.apiServer(ctx)
	if err != nil {
		return nil, err
	}
	return &target{
		name: "slipway", server: s, caller: newCaller(s, "X-Api-Key", s.key), collection: "/v2/deployments", changed: http.StatusCreated,
		page: func(n int) string { return fmt.Sprintf("limit=%d&offset=%d", pageLength, n) },
		body: func(name string) []byte { return fmt.Appendf(nil, newDeployment, name) },
	}, nil
}

func (l *lab) apiServer(ctx context.Context) (*server, error) {
	if l.profiles != "" {
		return l.standInServer(ctx, "")
	}
	data, err := l.folder("data")
	if err != nil {
		return nil, err
	}
	s, _, err := l.slipwayServer(ctx, data)
	return s, err
}

// newDeployment is the body of a create: nothing of it runs.
const newDeployment = `{"name":%q,"source":"internal_source","source_config":{"deployment_type":"dev"},"source_revision_config":{},` +
	`"secrets":[{"name":"OPENAI_API_KEY","value":"sk-0123456789abcdef0123456789abcdef"},` +
	`{"name":"ANTHROPIC_API_KEY","value":"sk-fedcba9876543210fedcba9876543210"},{"name":"LOG_LEVEL","value":"info"}]}`

// pocketTarget is a PocketBase. Its records hold what ours answers, so that the
// answers of both have the same bytes, but for their names of the times and of
// the collection.
func (l *lab) pocketTarget(ctx context.Context, synchronous string, like map[string]any) (*target, error) {
	s, token, err := l.pocket(ctx, synchronous)
	if err != nil {
		return nil, err
	}
	record := maps.Clone(like)
	maps.DeleteFunc(record, func(name string, v any) bool {
		return v == nil || name == "id" || name == "created_at" || name == "updated_at"
	})
	const placeholder = "name-goes-here"
	record["name"] = placeholder
	text, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	return &target{
		name: "PocketBase " + synchronous, server: s, caller: newCaller(s, "Authorization", token),
		collection: "/api/collections/" + pocketCollection + "/records", changed: http.StatusOK,
		page: func(n int) string {
			return fmt.Sprintf("perPage=%d&page=%d&sort=-created,-id&skipTotal=1", pageLength, n/pageLength+1)
		},
		body: func(name string) []byte {
			return bytes.Replace(text, []byte(placeholder), []byte(name), 1)
		},
	}, nil
}

// add makes deployments, as many as the limit and the time allow, and returns
// their ids.
func (t *target) add(ctx context.Context, limit int, within time.Duration) ([]string, burst, error) {
	var mu sync.Mutex
	var ids []string
	first := t.made
	b, err := load(ctx, t.server, limit, within, func(n int) error {
		return t.do(t.create(fmt.Sprintf("bench-%d", first+n)), func(answer []byte) error {
			id, err := idOf(answer)
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, id)
			return err
		})
	})
	t.made += len(ids)
	return ids, b, err
}

// sample is the answer to a get.
func (t *target) sample(id string) (answer map[string]any, err error) {
	err = t.do(t.get(id), func(text []byte) error {
		t.size = len(text)
		return json.Unmarshal(text, &answer)
	})
	return answer, err
}

// idOf reads the id of an answer. Reading all of it would cost more than
// sending the request.
func idOf(answer []byte) (string, error) {
	const name = `"id":"`
	if i := bytes.Index(answer, []byte(name)); i >= 0 {
		id, _, _ := bytes.Cut(answer[i+len(name):], []byte(`"`))
		return string(id), nil
	}
	return "", fmt.Errorf("no id in %s", answer)
}
