package registry

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"sync"
)

// Usage is what a registry keeps. What repositories share counts once.
type Usage struct {
	Blobs int
	Bytes int64
}

// Counts is what a registry has done since it was opened.
type Counts struct {
	Pushed    uint64            // manifests that were taken
	Collected uint64            // blobs whose bytes were removed
	Refused   map[string]uint64 // requests, by the protocol's code
}

type counter struct {
	mu     sync.Mutex
	counts Counts
}

func (c *counter) count(what func(*Counts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	what(&c.counts)
}

// Counts returns what has been done.
func (r *Registry) Counts() Counts {
	r.done.mu.Lock()
	defer r.done.mu.Unlock()
	c := r.done.counts
	c.Refused = maps.Clone(c.Refused)
	return c
}

func countRefusal(code string) func(*Counts) {
	return func(c *Counts) {
		if c.Refused == nil {
			c.Refused = map[string]uint64{}
		}
		c.Refused[code]++
	}
}

// Usage looks at what lies on the disk.
func (r *Registry) Usage() (u Usage, err error) {
	folders, err := r.disk.names("blobs")
	for _, folder := range folders {
		blobs, err := r.disk.names(path.Join("blobs", folder))
		if err != nil {
			return u, err
		}
		for _, hex := range blobs {
			info, err := r.disk.root.Lstat(path.Join("blobs", folder, hex))
			switch {
			case errors.Is(err, fs.ErrNotExist): // collected meanwhile
			case err != nil:
				return u, err
			default:
				u.Blobs++
				u.Bytes += info.Size()
			}
		}
	}
	return u, err
}
