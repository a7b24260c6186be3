package access

// recent is a map that forgets what was not used of late. It holds at most
// twice its size: what is young, and what was young before that was full.
type recent[K comparable, V any] struct {
	size       int
	young, old map[K]V
}

func newRecent[K comparable, V any](size int) *recent[K, V] {
	return &recent[K, V]{size: size, young: map[K]V{}, old: map[K]V{}}
}

// get finds a value, and keeps it for longer.
func (r *recent[K, V]) get(key K) (V, bool) {
	if v, ok := r.young[key]; ok {
		return v, true
	}
	v, ok := r.old[key]
	if ok {
		r.put(key, v)
	}
	return v, ok
}

func (r *recent[K, V]) put(key K, v V) {
	if _, ok := r.young[key]; !ok && len(r.young) >= r.size {
		r.young, r.old = map[K]V{}, r.young
	}
	r.young[key] = v
}

func (r *recent[K, V]) drop(key K) {
	delete(r.young, key)
	delete(r.old, key)
}

func (r *recent[K, V]) clear() {
	clear(r.young)
	clear(r.old)
}

func (r *recent[K, V]) len() int { return len(r.young) + len(r.old) }
