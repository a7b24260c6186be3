package registry_test

import (
	"testing"

	"github.com/slipwayhq/slipway/registry"
)

// What is kept counts once however many have it; what was done counts as often
// as it was.
func TestCounts(t *testing.T) {
	s := open(t)
	usage := func() registry.Usage {
		u, err := s.Usage()
		must(t, err)
		return u
	}
	if u, c := usage(), s.Counts(); u != (registry.Usage{}) || c.Pushed+c.Collected != 0 || len(c.Refused) != 0 {
		t.Errorf("of nothing: %+v %+v", u, c)
	}
	s.pusher(mine, "app").image("v1", "base")
	one := usage()
	s.pusher(theirs, "app").image("v1", "base")
	s.pusher(theirs, "app").image("v1", "base")
	if two := usage(); one.Blobs < 2 || one.Bytes < int64(len("base")) || two != one {
		t.Errorf("%+v, then %+v", one, two)
	}
	before := s.Counts()
	s.pusher(mine, "app").ask("GET", "manifests/none", nil).refused(404, "MANIFEST_UNKNOWN")
	if c := s.Counts(); c.Pushed != 3 || c.Collected != 0 || c.Refused["MANIFEST_UNKNOWN"] != before.Refused["MANIFEST_UNKNOWN"]+1 {
		t.Errorf("%+v after %+v", c, before)
	}
	must(t, s.Remove(t.Context(), mine))
	must(t, s.Remove(t.Context(), theirs))
	if u, c := usage(), s.Counts(); u != (registry.Usage{}) || c.Collected != uint64(one.Blobs) {
		t.Errorf("after all is removed: %+v %+v", u, c)
	}
}
