package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/slipwayhq/slipway"
)

// redisServerWanted writes a Redis of the deployment's own before it is started:
// what runs, and what it keeps. The row stays as long as the deployment, so that
// a restore finds the same.
func (r *report) redisServerWanted(ports slipway.PortRange) error {
	_, err := r.RedisServer(r.d.ID)
	if errors.Is(err, slipway.ErrNoRow) {
		err = r.newRedisServer(ports)
	}
	if err != nil {
		return err
	}
	runs := slipway.Item{Deployment: r.d.ID, Kind: slipway.ItemInstance, Ref: string(r.d.ID.Redis()), CreatedAt: r.now}
	if err := r.AddItem(runs); err != nil {
		return err
	}
	return r.AddItem(slipway.Item{Deployment: r.d.ID, Kind: slipway.ItemRedis, Ref: string(r.d.ID), CreatedAt: r.now})
}

func (r *report) newRedisServer(ports slipway.PortRange) error {
	port, err := r.freePort(ports, string(r.d.ID))
	if err != nil {
		return err
	}
	return r.InsertRedisServer(slipway.SealedRedis{
		Deployment: r.d.ID, Port: port, Sealed: r.service.sealer.Seal(rand.Text(), redisRow(r.d.ID)),
	})
}

// redisPortRefused moves it. Its old port stays reserved until then, so that it is
// not the one found.
func (r *report) redisPortRefused(ports slipway.PortRange) error {
	port, err := r.freePort(ports, slipway.NewID[string](r.now))
	if err != nil {
		return err
	}
	return r.MoveRedisServer(r.d.ID, port)
}

// redisRow names the row that a password is bound to.
func redisRow(d slipway.DeploymentID) string { return fmt.Sprintf("redis/%s", d) }

// redisPort is that of a deployment's own Redis, 0 if its inventory has none.
func (c *change) redisPort(d slipway.DeploymentID, items []slipway.Item) (int, error) {
	if !slices.ContainsFunc(items, func(i slipway.Item) bool { return i.Kind == slipway.ItemRedis && i.Ref == string(d) }) {
		return 0, nil
	}
	server, err := c.RedisServer(d)
	if errors.Is(err, slipway.ErrNoRow) {
		return 0, nil
	}
	return server.Port, wrap("read Redis of deployment", err)
}

// RedisPassword implements slipway.Sync.
func (s *Service) RedisPassword(ctx context.Context, l slipway.Lease) (password string, err error) {
	err = s.read(ctx, func(c *change) error {
		if err := c.CheckLease(l); err != nil {
			return err
		}
		server, err := c.RedisServer(l.Deployment)
		if err != nil {
			return err
		}
		password, err = s.sealer.Open(server.Sealed, redisRow(l.Deployment))
		return err
	})
	return password, wrap("read password of Redis", err)
}
