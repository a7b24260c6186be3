package trace

// Thread is the name of the thread that a run's metadata says that it belongs to,
// "" for none. It needs FieldExtra.
func (r *Run) Thread() string { return (&subject{Run: r}).thread() }
