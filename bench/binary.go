package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
)

// binary measures the file, and how long a server takes to be ready.
func binary(ctx context.Context, l *lab) ([]row, error) {
	about, err := os.Stat(l.slipway)
	if err != nil {
		return nil, err
	}
	rows := []row{single("size", megabytes(about.Size()))}
	empty, err := repeat(l.times(restarts), func() (time.Duration, error) { return l.firstStart(ctx) })
	if err != nil {
		return rows, err
	}
	rows = append(rows, coldRow("cold start on an empty folder", empty))
	data, err := l.filled(ctx)
	if err != nil {
		return rows, err
	}
	full, err := l.coldStarts(ctx, data)
	if err != nil {
		return rows, err
	}
	return append(rows, coldRow(fmt.Sprintf("cold start on a folder with %d deployments", many), full)), nil
}

func coldRow(what string, s samples) row {
	return spread(what+": exec to 200 on /readyz", s).with(atMost(s.median(), 300*time.Millisecond, "300 ms"))
}

func (l *lab) firstStart(ctx context.Context) (time.Duration, error) {
	data, err := l.folder("data")
	if err != nil {
		return 0, err
	}
	s, took, err := l.slipwayServer(ctx, data)
	if err != nil {
		return 0, err
	}
	return took, s.stop()
}

// filled is a folder of data that holds many deployments. None has a revision.
func (l *lab) filled(ctx context.Context) (string, error) {
	data, err := l.folder("data")
	if err != nil {
		return "", err
	}
	s, _, err := l.slipwayServer(ctx, data)
	if err != nil {
		return "", err
	}
	err = atOnce(many, func(i int) error {
		_, err := s.CreateDeployment(ctx, wire.DeploymentCreateRequest{Name: fmt.Sprintf("full-%d", i), Source: "internal_source"})
		return err
	})
	if err != nil {
		return "", err
	}
	return data, s.stop()
}
