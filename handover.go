package slipway

// HandOver is what is to be run once a hand-over has come to a phase, or is over
// (nil). It keeps account of snapshots: one is there before it is taken, and one
// that is not needed any more until it is removed.
func (r Running) HandOver(h *Handover) Running {
	was := r.Handover
	r.Handover = h
	switch {
	case h != nil && h.Phase == HandoverSnapshot && h.Snapshot != r.Snapshot:
		r.Outdated, r.Snapshot = r.Snapshot, h.Snapshot
	case h == nil && was != nil && was.Phase == HandoverSnapshot:
		r.Outdated, r.Snapshot = r.Snapshot, r.Outdated // perhaps it was never finished
	}
	return r
}

// Discarded is what is to be run once a snapshot is gone.
func (r Running) Discarded(snapshot string) Running {
	if r.Outdated == snapshot {
		r.Outdated = ""
	}
	return r
}
