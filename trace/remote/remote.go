// Package remote keeps the tracing projects of deployments at another
// installation that speaks the protocol of the LangSmith SDKs, where agents send
// their traces.
//
// Every project has the identity there that it has here. One of its name that was
// there before is used for traces, since those name no more than that, and is
// never changed or removed.
package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	askFor     = 20 * time.Second // one answer
	maxRefusal = 500              // bytes of one that are shown
	maxAnswer  = 1 << 20          // bytes that are read
)

// Projects are those at an endpoint.
type Projects struct {
	endpoint string
	key      string
	log      *slog.Logger
}

// Open returns the projects at an endpoint such as https://traces.example.com/api/v1
// to which a key is good. Nothing is sent yet.
func Open(endpoint, key string, log *slog.Logger) *Projects {
	return &Projects{endpoint, key, log}
}

// CheckEndpoint says what is wrong with the address of an endpoint.
func CheckEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is no address of an endpoint: give one such as https://traces.example.com/api/v1", endpoint)
	}
	return nil
}

// session is what the protocol calls a project.
type session struct {
	ID   slipway.ProjectID `json:"id,omitempty"`
	Name string            `json:"name"`
}

// Make sees to it that a project is there, under its name.
func (p *Projects) Make(ctx context.Context, project slipway.TracingProject) error {
	var there session
	found, err := p.ask(ctx, http.MethodGet, "/sessions/"+string(project.ID), nil, &there)
	switch {
	case err != nil:
		return err
	case !found:
		return p.create(ctx, project)
	case there.Name == project.Name:
		return nil
	}
	found, err = p.ask(ctx, http.MethodPatch, "/sessions/"+string(project.ID), session{Name: project.Name}, nil)
	if err == nil && !found {
		err = fmt.Errorf("project %s went while it was renamed", project.ID)
	}
	return err
}

func (p *Projects) create(ctx context.Context, project slipway.TracingProject) error {
	var made session
	found, err := p.ask(ctx, http.MethodPost, "/sessions?upsert=true", session{project.ID, project.Name}, &made)
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("%s has no tracing projects: is it the endpoint of LangSmith's SDKs?", p.endpoint)
	case made.ID != project.ID:
		p.log.Warn("a project was there before: a deployment's traces go to it, and it will not be removed with that", slog.String("endpoint", p.endpoint),
			slog.String("project", string(made.ID)), slog.String("name", project.Name), slog.String("deployment", string(project.Deployment)))
	}
	return nil
}

// DeleteProject removes a project with its runs, and looks again.
func (p *Projects) DeleteProject(ctx context.Context, id slipway.ProjectID) (left int, err error) {
	path := "/sessions/" + string(id)
	if found, err := p.ask(ctx, http.MethodDelete, path, nil, nil); err != nil || !found {
		return 0, err
	}
	found, err := p.ask(ctx, http.MethodGet, path, nil, nil)
	if err == nil && found {
		err = fmt.Errorf("project %s is there still", id)
	}
	return 0, err
}

// direct goes nowhere else than it is told: a redirect would have the key sent along,
// to whatever host, and turn what makes and deletes into a GET.
var direct = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// ask sends a request and reads the answer. What does not exist is not found;
// every other refusal is an error.
func (p *Projects) ask(ctx context.Context, method, path string, body, into any) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	sent, err := json.Marshal(body)
	if err != nil {
		return false, err
	}
	if body == nil {
		sent = nil
	}
	r, err := http.NewRequestWithContext(ctx, method, p.endpoint+path, bytes.NewReader(sent))
	if err != nil {
		return false, err
	}
	r.Header.Set("X-Api-Key", p.key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := direct.Do(r)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case err != nil:
		return false, fmt.Errorf("%s %s: %w", method, r.URL.Redacted(), err)
	case answer.StatusCode == http.StatusNotFound:
		return false, nil
	case answer.Header.Get("Location") != "" && answer.StatusCode/100 == 3:
		return false, fmt.Errorf("%s %s: %s to %s: give the endpoint at which the projects are", method, r.URL.Redacted(), answer.Status, answer.Header.Get("Location"))
	case answer.StatusCode/100 != 2:
		return false, fmt.Errorf("%s %s: %s: %.*s", method, r.URL.Redacted(), answer.Status, maxRefusal, text)
	case into == nil:
		return true, nil
	}
	return true, json.Unmarshal(text, into)
}
