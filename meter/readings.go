package meter

import (
	"slices"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

// read notes a sample, and the CPU time since the last one: of the instances, and
// of the Redis beside them.
func (w *deployment) read(s slipway.Sample, used, beside time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.latest.Sample = s
	w.latest.CPU += used
	w.latest.RedisCPU += beside
}

// Readings lists those of all that is watched, in the order of ids. It measures
// nothing but the traffic.
func (m *Meter) Readings() []slipway.Reading {
	m.mu.Lock()
	all := make([]slipway.Reading, 0, len(m.watched))
	for _, w := range m.watched {
		w.mu.Lock()
		w.latest.Deployment = w.row
		all = append(all, w.latest)
		w.mu.Unlock()
	}
	m.mu.Unlock()
	for i := range all {
		all[i].Traffic = m.gateway.Traffic(all[i].Deployment.ID)
	}
	slices.SortFunc(all, func(a, b slipway.Reading) int {
		return strings.Compare(string(a.Deployment.ID), string(b.Deployment.ID))
	})
	return all
}
