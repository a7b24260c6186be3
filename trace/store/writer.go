package store

import (
	"context"
	"errors"
	"fmt"
)

const (
	// batchOps and batchBytes bound what shares a commit, and so how long the
	// first of it waits for the last.
	batchOps   = 4000
	batchBytes = 32 << 20
)

// writer does one thing at a time: what waits to be written, together, or
// something else that changes a day.
type writer struct {
	queue   chan *job // unbuffered: what waits, waits at the sender's side
	closing chan struct{}
	done    chan struct{}
}

// job is what one caller wants: its operations written, or do.
type job struct {
	ctx    context.Context
	ops    []*op
	bytes  int
	do     func(context.Context) error
	answer chan error
}

func newWriter() *writer {
	return &writer{queue: make(chan *job), closing: make(chan struct{}), done: make(chan struct{})}
}

// wait hands a job over and waits for its end. From its turn on the context is
// not looked at any more, so that the answer tells what happened.
func (w *writer) wait(ctx context.Context, j *job) error {
	j.ctx, j.answer = ctx, make(chan error, 1)
	if ctx.Err() != nil {
		return fmt.Errorf("wait for the writer: %w", context.Cause(ctx))
	}
	select {
	case <-w.closing:
		return ErrClosed
	default:
	}
	select {
	case w.queue <- j:
		return <-j.answer
	case <-ctx.Done():
		return fmt.Errorf("wait for the writer: %w", context.Cause(ctx))
	case <-w.closing:
		return ErrClosed
	}
}

// run does jobs until the writer is closed.
func (w *writer) run(write func(context.Context, []*op) error) {
	defer close(w.done)
	var next *job
	for {
		j := next
		if next = nil; j == nil {
			select {
			case j = <-w.queue:
			case <-w.closing:
				return
			}
		}
		ctx := context.WithoutCancel(j.ctx)
		if j.do != nil {
			j.answer <- j.do(ctx)
			continue
		}
		var jobs []*job
		jobs, next = w.gather(j)
		together(jobs, func(jobs ...*job) error { return write(ctx, opsOf(jobs)) })
	}
}

// together writes jobs in one go. If one of them may be what failed, each is written
// by itself, so that it fails alone.
func together(jobs []*job, write func(...*job) error) {
	err := write(jobs...)
	apart := len(jobs) > 1 && spoilt(err)
	for _, j := range jobs {
		if apart {
			err = write(j)
			apart = err == nil || spoilt(err)
		}
		j.answer <- err
	}
}

// spoilt says whether an error may be due to what was to be written: nothing of it
// was kept, and the store is there.
func spoilt(err error) bool {
	_, is := errors.AsType[*undone](err)
	return is && !errors.Is(err, context.DeadlineExceeded)
}

// gather takes what waits already and can share a commit with first. Next is a
// job that was taken and can not.
func (w *writer) gather(first *job) (jobs []*job, next *job) {
	jobs = []*job{first}
	for ops, bytes := len(first.ops), first.bytes; ops < batchOps && bytes < batchBytes; {
		select {
		case j := <-w.queue:
			if j.do != nil {
				return jobs, j
			}
			jobs = append(jobs, j)
			ops, bytes = ops+len(j.ops), bytes+j.bytes
		default:
			return jobs, nil
		}
	}
	return jobs, nil
}

func opsOf(jobs []*job) (all []*op) {
	for _, j := range jobs {
		all = append(all, j.ops...)
	}
	return all
}

func (w *writer) close() {
	close(w.closing)
	<-w.done
}
