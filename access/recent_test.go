package access

import (
	"testing"

	"pgregory.net/rapid"
)

// What a bound is worth can be seen from inside only.
func TestRecentIsBoundedAndForgetsTheOldest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 8).Draw(t, "size")
		r := newRecent[int, int](size)
		used := []int{} // keys, the one used last at the end
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			key := rapid.IntRange(0, 20).Draw(t, "key")
			if _, ok := r.get(key); !ok {
				r.put(key, -key)
			}
			used = append(used, key)
			if r.len() > 2*size {
				t.Fatalf("%d values in a map of size %d", r.len(), size)
			}
		}
		distinct := map[int]bool{}
		for i := len(used) - 1; i >= 0 && len(distinct) < size; i-- {
			distinct[used[i]] = true
		}
		for key := range distinct {
			if v, ok := r.get(key); !ok || v != -key {
				t.Fatalf("%d was among the last %d used and is forgotten", key, size)
			}
			break // getting may push others out
		}
	})
}

func TestOrigins(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80": "fe80::/64", "@": "@", "": "",
	} {
		if got := origin(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}
