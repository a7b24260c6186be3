package main

import (
	"context"
	"os"
	"path/filepath"
)

// pocketCollection is where PocketBase keeps deployments.
const pocketCollection = "deployments"

// pocket builds a PocketBase and starts it on a new folder. It returns a
// superuser's token too.
func (l *lab) pocket(ctx context.Context, synchronous string) (*server, string, error) {
	program, err := l.build(ctx, "pocketbase", "./pocketbase")
	if err != nil {
		return nil, "", err
	}
	data, err := l.folder("pocket")
	if err != nil {
		return nil, "", err
	}
	file := filepath.Join(data, "token")
	s, _, err := l.start(ctx, data, "/api/health", program, "-synchronous", synchronous, "-token", file, "-collection", pocketCollection)
	if err != nil {
		return nil, "", err
	}
	token, err := os.ReadFile(file)
	return s, string(token), err
}
