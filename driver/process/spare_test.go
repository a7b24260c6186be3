package process_test

import (
	"bufio"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/process"
	"github.com/slipwayhq/slipway/internal/confine"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// canStandBy says whether a child can stand by on this machine.
func canStandBy(t testing.TB) bool {
	t.Helper()
	s, err := confine.StandBy(t.Context())
	if errors.Is(err, errors.ErrUnsupported) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	s.End()
	return true
}

// openSpare opens a driver, and waits until a child stands by for its first start.
func openSpare(t testing.TB, root string, options ...process.Option) *process.Driver {
	t.Helper()
	if !canStandBy(t) {
		return open(t, root, options...)
	}
	standsBy := make(chan struct{}, 100)
	d := open(t, root, append(options, process.OnStep(func(step string) {
		if step == process.StepSpare {
			select {
			case standsBy <- struct{}{}:
			default:
			}
		}
	}))...)
	testsignal.Receive(t, "a child that stands by", standsBy)
	return d
}

// spareOf is the child of a process that stands by, 0 if none does.
func spareOf(pid int) int {
	children := confine.Descendants(pid)
	if i := slices.IndexFunc(children, confine.IsChild); i >= 0 {
		return children[i]
	}
	return 0
}

// A start takes who stands by; another one does after it, until the driver is
// closed.
func TestSpare(t *testing.T) {
	if !canStandBy(t) {
		t.Skip("nobody can stand by here")
	}
	d := openSpare(t, t.TempDir())
	defer d.Close()
	first := spareOf(os.Getpid())
	w := workload(t)
	if _, err := d.Apply(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	must(t, serving(w))
	testsignal.Until(t, "its end", func() bool { return !alive(first) })
	testsignal.Until(t, "the next one", func() bool { return spareOf(os.Getpid()) != 0 })
	must(t, d.Stop(t.Context(), w.Deployment, w.Instance, time.Minute))
	must(t, d.Close())
	if pid := spareOf(os.Getpid()); pid != 0 {
		t.Errorf("process %d still stands by", pid)
	}
}

// Who stands by and is lost is not missed: the start goes the other way.
func TestSpareIsLost(t *testing.T) {
	if !canStandBy(t) {
		t.Skip("nobody can stand by here")
	}
	d := openSpare(t, t.TempDir())
	defer d.Close()
	p, err := os.FindProcess(spareOf(os.Getpid()))
	must(t, errors.Join(err, p.Kill()))
	w := workload(t)
	if _, err := d.Apply(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	must(t, serving(w))
	must(t, d.Stop(t.Context(), w.Deployment, w.Instance, time.Minute))
}

// Nobody stands by for a server that was killed.
func TestSpareOfADeadServer(t *testing.T) {
	if !canStandBy(t) {
		t.Skip("nobody can stand by here")
	}
	cmd := server{Root: t.TempDir(), Workloads: []slipway.Workload{workload(t)}, Live: "idle"}.command(t)
	out, err := cmd.StdoutPipe()
	must(t, errors.Join(err, cmd.Start()))
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "stands by"; {
	}
	pid := spareOf(cmd.Process.Pid)
	if pid == 0 {
		t.Fatal("nobody stands by")
	}
	cmd.Process.Kill()
	cmd.Wait()
	testsignal.Until(t, "its end", func() bool { return !alive(pid) })
}
