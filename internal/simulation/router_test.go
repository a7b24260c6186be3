package simulation

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/slipwayhq/slipway"
)

// router is a gateway without requests. It dies with its process, routes and
// all.
type router struct {
	w *world

	mu     sync.Mutex
	routes map[slipway.DeploymentID]slipway.Route
	first  map[slipway.DeploymentID]slipway.RouteState // as they were adopted
}

func (r *router) Route(route slipway.Route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.routes[route.Deployment] = route
	if _, adopted := r.first[route.Deployment]; !adopted {
		r.first[route.Deployment] = route.State
	}
}

func (r *router) Unroute(d slipway.DeploymentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.routes, d)
}

func (r *router) Routes(d slipway.DeploymentID) bool {
	_, ok := r.of(d)
	return ok
}

func (r *router) of(d slipway.DeploymentID) (slipway.Route, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	route, ok := r.routes[d]
	return route, ok
}

func (r *router) adopted(d slipway.DeploymentID) slipway.RouteState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first[d]
}

// Answered takes no time.
func (r *router) Answered(ctx context.Context, _ slipway.DeploymentID) error { return ctx.Err() }

// Drained takes two seconds, or as long as it is given while the world's
// requests do not end.
func (r *router) Drained(ctx context.Context, _ slipway.DeploymentID) error {
	if r.w.failing("drain requests") {
		<-ctx.Done()
		return ctx.Err()
	}
	return sleep(ctx, 2*time.Second)
}

// Traffic is none.
func (r *router) Traffic(slipway.DeploymentID) slipway.Traffic { return slipway.Traffic{} }

// Heard is never.
func (r *router) Heard(slipway.Route) time.Time { return time.Time{} }

func (r *router) Probe(ctx context.Context, route slipway.Route, _ string) (int, error) {
	if r.w.agents.silent(route.Addresses[0]) {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	switch r.w.agents.at(route.Addresses[0]) {
	case "", crashes, refuses, ruins:
		return 0, errors.New("connection refused")
	case mute:
		<-ctx.Done()
		return 0, ctx.Err()
	case answers500:
		return http.StatusInternalServerError, nil
	}
	return http.StatusOK, nil
}
