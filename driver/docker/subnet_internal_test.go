package docker // no engine can be brought to have given all

import (
	"net/netip"
	"testing"
)

func TestChooseSubnet(t *testing.T) {
	first, ok := chooseSubnet("key", nil)
	if again, _ := chooseSubnet("key", nil); !ok || again != first || !networks.Contains(first.Addr()) || first.Masked() != first {
		t.Errorf("chose %v, then %v", first, again)
	}
	taken := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.PrefixFrom(first.Addr().Next(), 30)}
	const free = 1234 // the only one
	for n := range uint32(2048) {
		if n != free {
			taken = append(taken, nthSubnet(n))
		}
	}
	if nthSubnet(free) == first {
		t.Fatal("try another key")
	}
	if subnet, ok := chooseSubnet("key", taken); !ok || subnet != nthSubnet(free) {
		t.Errorf("chose %v, %v", subnet, ok)
	}
	if subnet, ok := chooseSubnet("key", []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15")}); ok {
		t.Errorf("chose %v, and all are taken", subnet)
	}
}

func TestRoutes(t *testing.T) {
	const table = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010011AC	0003	0	0	0	00000000	0	0	0
eth0	000012C6	00000000	0001	0	0	0	0000FEFF	0	0	0
tun0	010011AC	00000000	0005	0	0	0	FFFFFFFF	0	0	0
`
	got := parseRoutes(table)
	want := []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("172.17.0.1/32")}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("routes %v, want %v", got, want)
	}
}
