package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slipwayhq/slipway/internal/durable"
)

// Pulls is a folder that remembers what was fetched by which reference, and which
// images the engine did not have before: it is written before they are pulled, so
// that what a death leaves between a pull and our tag is known to be ours. An image
// that is not written down, and has no tag of ours, is somebody else's.
type Pulls string

// Below is a folder of its own in this one, for what is fetched for something else.
func (p Pulls) Below(name string) Pulls { return Pulls(filepath.Join(string(p), name)) }

// Pull is what was fetched by a reference.
type Pull struct {
	Reference string
	Images    []string // that were pulled for it: repository@sha256:…
	At        time.Time
}

func (p Pulls) path(ref string) string {
	sum := sha256.Sum256([]byte(ref))
	return filepath.Join(string(p), hex.EncodeToString(sum[:])+".json")
}

// note writes down that something is to be fetched by a reference, and what is to
// be pulled for it, "" for nothing.
func (p Pulls) note(ref, image string) error {
	if p == "" {
		return nil
	}
	known, err := p.of(ref)
	if err != nil {
		return err
	}
	if image != "" && !slices.Contains(known.Images, image) {
		known.Images = append(known.Images, image)
	}
	raw, err := json.Marshal(Pull{Reference: ref, Images: known.Images})
	if err != nil {
		return err
	}
	return wrote(p.write(p.path(ref), raw))
}

func wrote(err error) error {
	if err != nil {
		return fmt.Errorf("write down what is fetched: %w", err)
	}
	return nil
}

// write has a file with its content take the place of an older one.
func (p Pulls) write(path string, content []byte) error {
	if err := os.MkdirAll(string(p), 0o700); err != nil {
		return err
	}
	made := path + ".new"
	if err := errors.Join(os.WriteFile(made, content, 0o600), durable.Sync(made)); err != nil {
		return err
	}
	return errors.Join(os.Rename(made, path), durable.Sync(string(p)))
}

// Expect writes down that an engine may hold something by a reference from now on.
func (p Pulls) Expect(ref string) error { return p.note(ref, "") }

// Expects says whether an engine may hold something by a reference.
func (p Pulls) Expects(ref string) (bool, error) {
	if p == "" {
		return false, nil
	}
	_, err := os.Stat(p.path(ref))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// of returns what was fetched by a reference; nothing if it is not known.
func (p Pulls) of(ref string) (Pull, error) {
	found, err := p.read(p.path(ref))
	if errors.Is(err, fs.ErrNotExist) || p == "" {
		return Pull{Reference: ref}, nil
	}
	return found, err
}

func (p Pulls) read(path string) (found Pull, err error) {
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &found)
	}
	if err != nil {
		return found, fmt.Errorf("read what was fetched: %w", err)
	}
	info, err := os.Stat(path)
	if err == nil {
		found.At = info.ModTime().UTC()
	}
	return found, err
}

// List tells everything that was fetched and not removed since.
func (p Pulls) List() (all []Pull, err error) {
	if p == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(string(p))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look at what was fetched: %w", err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".json") {
			continue
		}
		switch one, err := p.read(filepath.Join(string(p), entry.Name())); {
		case errors.Is(err, fs.ErrNotExist): // it was removed just now
		case err != nil:
			return nil, err
		default:
			all = append(all, one)
		}
	}
	return all, nil
}

// Forget is for a reference by which nothing is held any more.
func (p Pulls) Forget(ref string) error {
	if p == "" {
		return nil
	}
	if err := os.Remove(p.path(ref)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget what was fetched: %w", err)
	}
	return nil
}

// pulled says whether an image was pulled by us, by whatever reference.
func (p Pulls) pulled(image string) (bool, error) {
	all, err := p.List()
	return slices.ContainsFunc(all, func(one Pull) bool { return slices.Contains(one.Images, image) }), err
}
