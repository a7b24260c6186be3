package client

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// wokenPoll is how often something is looked at while a stream of events tells
// of its changes: that it tells all is nothing to rely on.
const wokenPoll = 20 * time.Second

// news wakes whoever waits for something to happen to a deployment. On a server
// without events it never does.
type news struct {
	come chan struct{}
	live atomic.Bool // a stream is connected
	stop context.CancelFunc
	done sync.WaitGroup
}

func (c *Client) news(ctx context.Context, deployment string) *news {
	ctx, stop := context.WithCancel(ctx)
	n := &news{come: make(chan struct{}, 1), stop: stop}
	n.done.Go(func() {
		defer n.live.Store(false)
		for _, err := range c.events(ctx, deployment, "", func() { n.live.Store(false) }) {
			if err != nil {
				return
			}
			n.live.Store(true)
			select {
			case n.come <- struct{}{}:
			default: // nobody has looked since the last one
			}
		}
	})
	return n
}

// end returns when nothing of it is left.
func (n *news) end() {
	n.stop()
	n.done.Wait()
}

// wait waits for news, or as long as one waits without.
func (n *news) wait(ctx context.Context, d time.Duration) error {
	if n.live.Load() {
		d = wokenPoll
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-n.come:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
