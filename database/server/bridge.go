package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/slipwayhq/slipway/database"
)

// bridgeWithin bounds how long a start waits for where containers are.
const bridgeWithin = 2 * time.Second

// bridge is where containers reach this machine now, "" if that is not known.
func (s *Server) bridge(ctx context.Context) string {
	if s.config.Bridge == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, bridgeWithin)
	defer cancel()
	host, err := s.config.Bridge(ctx)
	if err != nil {
		return "" // who needs it asks again
	}
	return host
}

// Contained implements database.Server. Where containers are is asked each time: an
// engine may come up after PostgreSQL, and its bridge may move.
func (s *Server) Contained(ctx context.Context) (*url.URL, error) {
	e, err := s.Endpoint(ctx, false)
	if err != nil {
		return nil, err
	}
	if s.config.Bridge == nil {
		return nil, database.NotReached(e.Place)
	}
	host, err := s.config.Bridge(ctx)
	if err != nil {
		return nil, fmt.Errorf("containers do not reach PostgreSQL yet: %w", err)
	}
	to := &url.URL{Scheme: "postgresql", Host: net.JoinHostPort(host, e.Agents.Port())}
	if err := s.listenAt(ctx, host, to.Host); err != nil {
		return nil, fmt.Errorf("containers do not reach PostgreSQL at %s: %w", to.Host, err)
	}
	return to, nil
}

// listenAt has PostgreSQL listen at another address. It takes one at its start
// alone, and so is started again, which cuts what is connected for a second or two:
// once, and not where it would be in vain.
func (s *Server) listenAt(ctx context.Context, host, address string) error {
	s.binding.Lock()
	defer s.binding.Unlock()
	if s.answersAt(ctx, address) {
		return nil
	}
	switch err := tryPort(address); {
	case errors.Is(err, syscall.EADDRINUSE):
		return errors.New("another program has that port: end it")
	case err != nil:
		return fmt.Errorf("this machine does not have that address; if the engine runs elsewhere, name a PostgreSQL that its containers reach: %w", err)
	case s.startedFor(host):
		return errors.New("it was started to listen there and does not: look for listen_addresses in custom.conf, and in ALTER SYSTEM")
	}
	s.config.Logger.Info("PostgreSQL is started again, to listen where containers reach it")
	if err := s.startAgain(ctx); err != nil {
		return err
	}
	if !s.answersAt(ctx, address) {
		return errors.New("it does not answer there yet")
	}
	return nil
}

// startedFor says whether PostgreSQL was started, by us, to listen at an address.
func (s *Server) startedFor(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.listens, host)
}

// answersAt says whether a PostgreSQL with our rules of access answers at an
// address: it lets the administrator in by no such way.
func (s *Server) answersAt(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, meetWithin)
	defer cancel()
	conn, err := pgx.Connect(ctx, "postgresql://"+admin+"@"+address+"/postgres?sslmode=disable")
	if err == nil { // rules of its own, in custom.conf
		return conn.Close(ctx) == nil
	}
	refusal, answered := errors.AsType[*pgconn.PgError](err)
	return answered && refusal.Code == notAllowed
}

// notAllowed is PostgreSQL's for who is rejected by pg_hba.conf.
const notAllowed = "28000"

// errAgain ends a server that is to be started again at once.
var errAgain = errors.New("PostgreSQL is started again")

// startAgain ends a server that is up, and returns when it is up again.
func (s *Server) startAgain(ctx context.Context) error {
	s.mu.Lock()
	changed := s.changed
	s.mu.Unlock()
	select {
	case s.again <- struct{}{}:
	case <-changed: // by itself
	case <-ctx.Done():
		return ctx.Err()
	case <-s.alive.Done():
		return errClosed
	}
	select {
	case <-changed:
	case <-s.alive.Done():
		return errClosed
	}
	_, err := s.Endpoint(ctx, false)
	return err
}
