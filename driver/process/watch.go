package process

import (
	"cmp"
	"context"
	"log/slog"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/driver/internal/reason"
)

// sweepPatience bounds the wait for stragglers that not even SIGKILL ends soon;
// Stop and the next Apply look for them again.
const sweepPatience = 5 * time.Second

// watch waits for the end of a process. After Close nobody does: the next
// driver will see for itself.
func (d *Driver) watch(in *instance, r *run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.alive.Err() != nil {
		r.close()
		return
	}
	d.watchers.Go(func() {
		if r.wait() {
			d.conclude(in, r)
		}
	})
}

// conclude ends what is left of an attempt whose main process has ended, and
// writes down how that was. The main process is reaped last: until then its
// number, and so its session, can not be anybody else's.
func (d *Driver) conclude(in *instance, r *run) {
	d.at(StepExitNoticed)
	ctx, cancel := context.WithTimeout(d.alive, sweepPatience)
	defer cancel()
	if err := d.sweep(ctx, in, r); err != nil {
		if d.alive.Err() != nil {
			return
		}
		in.soil()
		slog.Warn("something of an ended instance is left", "instance", in.id, "error", err)
	}
	d.at(StepExitSwept)
	end := r.ending()
	d.at(StepExitReaped)
	if end.Code == -1 && d.alive.Err() != nil {
		return // let go before it could be asked
	}
	d.recordEnd(ctx, in, end)
	d.at(StepExitRecorded)
	r.close()
	close(r.ended)
	d.exits.Send(in.deployment)
}

// ending says how a process ended. At is now: it was noticed at once.
func (r *run) ending() exit {
	e := exit{Code: -1, At: time.Now()}
	status, ok := r.reap()
	if !ok {
		return e
	}
	e.Code = status.ExitStatus()
	if status.Signaled() {
		e.Code, e.Signal = 128+int(status.Signal()), signalName(status.Signal())
	}
	return e
}

func signalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return sig.String()
}

// recordEnd writes an end down with what the instance's group knows of it. The
// group goes first: once the end is known, the next attempt may make its own.
func (d *Driver) recordEnd(ctx context.Context, in *instance, e exit) {
	asked := !in.snapshot().TermAt.IsZero()
	e.OutOfMemory = e.Code != 0 && !asked && d.ranOut(in)
	if e.OutOfDisk = in.whyOverDisk() != ""; e.OutOfDisk {
		in.emptyScratch() // first of all: it is to make room
	}
	if err := d.dropGroup(ctx, in); err != nil {
		slog.Warn("the control group of an ended instance is left", "instance", in.id, "error", err)
	}
	in.recordExit(e, d.at)
}

// recordExit writes an end down. If the disk refuses, the end is known all the same:
// the next Open finds the process gone.
func (in *instance) recordExit(e exit, at func(string)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.state
	e.Reason = cmp.Or(reason.LastLines(in.output(), s.Offset, in.secrets), "It wrote nothing.")
	if e.Code == -1 {
		e.Reason = "Its exit code is unknown: the server was restarted meanwhile. Last lines:\n" + e.Reason
	}
	if e.OutOfMemory {
		e.Reason = "It used more memory " + s.memoryLimit() + " and was ended for it. Last lines:\n" + e.Reason
	}
	if e.OutOfDisk {
		e.Reason = in.overDisk + " Last lines:\n" + e.Reason
	}
	s.Phase, s.Exit = exited, &e
	if err := in.recordLocked(s, at); err != nil {
		slog.Warn("the end of an instance could not be written down", "instance", in.id, "error", err)
	}
	in.state, in.run = s, nil
}
