package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/docker"
	"github.com/slipwayhq/slipway/driver/mixed"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/engine"
)

// openEngine opens a client of the engine, nil if there is to be none. It need
// not run: what needs it waits.
func (s *Server) openEngine(context.Context) (err error) {
	if s.config.DockerHost == "" {
		return nil
	}
	if s.engine, err = engine.Open(s.config.DockerHost); err != nil {
		return err
	}
	s.engine.Logins = engine.Logins(s.config.Logins)
	return s.engine.Logins.Check()
}

// openDriver opens what runs agents. The one for containers is opened without
// an engine too: an earlier server may have had one, and it tells what that left
// from what is not there.
func (s *Server) openDriver(owner string) (slipway.Driver, error) {
	root := filepath.Join(s.config.Data, "deployments")
	if s.config.OpenDriver != nil {
		return s.config.OpenDriver(root)
	}
	processes, err := process.Open(root, process.Within(process.Walls{Data: s.config.Data, Users: s.config.AgentUsers}), process.Reserve(s.config.Reserve))
	if err != nil {
		return nil, err
	}
	containers, err := docker.Open(docker.Config{
		Engine: s.engine, Owner: owner, Root: filepath.Join(s.config.Data, "containers"), Logger: s.config.Logger, Reserve: s.config.Reserve,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("containers: %w", err), processes.Close())
	}
	return mixed.New(processes, containers), nil
}
