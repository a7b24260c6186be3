package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	intakes = 5
	// intakeSize is that of the tarball, just below what an upload may be.
	intakeSize = 199 << 20
	intakeFile = 1 << 20 // of each file in it
	// intakeGrowth and intakeSpeed are the goals: memory in bytes, and the
	// speed as a share of tar's.
	intakeGrowth = 32e6
	intakeSpeed  = 0.5
)

// intake measures how a tarball of the largest size is taken in: sent, kept, and
// unpacked by a build of an app that needs nothing else; beside tar, which
// unpacks the same file.
func intake(ctx context.Context, l *lab) ([]row, error) {
	s, err := l.standInServer(ctx, "")
	if err != nil {
		return nil, err
	}
	defer s.end()
	var sent, built, whole, bare samples
	var growth []int64
	for n := range l.times(intakes) {
		l.say("  tarball %d", n+1)
		tarball, err := largeApp(uint64(n))
		if err != nil {
			return nil, err
		}
		t, err := s.takeIn(ctx, fmt.Sprintf("large-%d", n), tarball)
		if err != nil {
			return nil, err
		}
		took, err := l.untar(ctx, tarball)
		if err != nil {
			return nil, err
		}
		sent, built, whole = append(sent, t.sent), append(built, t.built), append(whole, t.sent+t.built)
		bare, growth = append(bare, took), append(growth, t.growth)
	}
	return rowsOfIntake(sent, built, pairs{whole, bare}, growth), nil
}

func rowsOfIntake(sent, built samples, p pairs, growth []int64) []row {
	speed := make(numbers, len(p.ours))
	for i, slower := range p.ratios() {
		speed[i] = 1 / slower
	}
	most := int64(0)
	for _, g := range growth {
		most = max(most, g)
	}
	return []row{
		factors("199 MiB taken in: sent, kept and unpacked, as a share of tar's speed", speed).
			with(atLeast(speed.median(), intakeSpeed, times(intakeSpeed))),
		single("199 MiB taken in: growth of the server's memory at most", megabytes(most)).
			with(atMost(float64(most), intakeGrowth, megabytes(intakeGrowth))),
		spread("PUT of the tarball", sent),
		spread("PATCH to DEPLOYED, nothing to install or start", built),
		spread("tar xzf of the same file", p.base),
	}
}

// taken is how a tarball was taken in.
type taken struct {
	sent, built time.Duration
	growth      int64 // of the server's memory, at most, in bytes
}

func (s *server) takeIn(ctx context.Context, name string, tarball source) (taken, error) {
	small, err := standInApp()
	if err != nil {
		return taken{}, err
	}
	d, err := s.create(ctx, name, small)
	if err != nil {
		return taken{}, err
	}
	before, err := s.forgetPeak()
	if err != nil {
		return taken{}, err
	}
	var t taken
	begun := time.Now()
	if d.tarball, err = d.upload(ctx, tarball); err != nil {
		return t, err
	}
	t.sent = time.Since(begun)
	r, err := d.deploy(ctx, lookStandIn)
	if err != nil {
		return t, err
	}
	t.built = r.deployed.Sub(r.sent)
	peak, err := field(proc(s.pid(), "status"), "VmHWM:")
	t.growth = peak<<10 - before
	return t, errors.Join(err, d.remove(ctx))
}

// forgetPeak has the kernel take the highest memory of the server anew, and
// returns the present.
func (s *server) forgetPeak() (bytes int64, err error) {
	if err := os.WriteFile(proc(s.pid(), "clear_refs"), []byte("5"), 0o200); err != nil {
		return 0, err
	}
	return resident(s.pid())
}

// untar has tar unpack it, from a file to a folder.
func (l *lab) untar(ctx context.Context, tarball source) (time.Duration, error) {
	dir, err := l.folder("tar")
	if err != nil {
		return 0, err
	}
	defer removeAll(dir)
	file, to := filepath.Join(dir, "it.tgz"), filepath.Join(dir, "to")
	if err := errors.Join(os.WriteFile(file, tarball, 0o600), os.Mkdir(to, 0o700)); err != nil {
		return 0, err
	}
	begun := time.Now()
	out, err := exec.CommandContext(ctx, "tar", "xzf", file, "-C", to).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("tar: %w\n%s", err, out)
	}
	return time.Since(begun), nil
}

// largeApp is an app for stand-ins with files that do not compress.
func largeApp(seed uint64) (source, error) {
	var packed bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(zipped)
	add := func(name string, text []byte) error {
		err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644, Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	}
	errs := []error{add("langgraph.json", []byte(`{"graphs": {"a": "./a.ts:a"}, "stand_in": true}`)), add("a.ts", nil)}
	random := rand.NewChaCha8([32]byte{byte(seed)})
	for n := 0; packed.Len() < intakeSize-2*intakeFile; n++ {
		text := make([]byte, intakeFile)
		random.Read(text)
		errs = append(errs, add(fmt.Sprintf("files/%d", n), text))
	}
	err = errors.Join(append(errs, w.Close(), zipped.Close())...)
	return packed.Bytes(), err
}
