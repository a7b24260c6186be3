package docker

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// networks is where deployments' networks lie. It is reserved for measuring
// networks: no host of the Internet is there, and unlike the private ranges no
// office, cluster or virtual network is likely to be. 2048 networks fit, of 61
// containers each.
var networks = netip.MustParsePrefix("198.18.0.0/15")

const (
	subnetBits  = 26
	subnetTries = 16 // somebody else may take addresses at the same time
)

// chooseSubnet finds addresses that nobody has, the same for the same key if they
// are free.
func chooseSubnet(key string, taken []netip.Prefix) (netip.Prefix, bool) {
	count := uint32(1) << (subnetBits - networks.Bits())
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	for n := range count {
		subnet := nthSubnet((h.Sum32() + n) % count)
		if !slices.ContainsFunc(taken, subnet.Overlaps) {
			return subnet, true
		}
	}
	return netip.Prefix{}, false
}

func nthSubnet(n uint32) netip.Prefix {
	base := networks.Addr().As4()
	var at [4]byte
	binary.BigEndian.PutUint32(at[:], binary.BigEndian.Uint32(base[:])+n<<(32-subnetBits))
	return netip.PrefixFrom(netip.AddrFrom4(at), subnetBits)
}

// routes are where the machine's routes lead, but for the default. What can not
// be read is not there.
func routes() []netip.Prefix {
	table, _ := os.ReadFile("/proc/net/route")
	return parseRoutes(string(table))
}

// parseRoutes reads the kernel's table: destination and mask are words in the
// order of the machine's bytes, the lowest first.
func parseRoutes(table string) []netip.Prefix {
	var list []netip.Prefix
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 8 {
			continue
		}
		to, err1 := strconv.ParseUint(f[1], 16, 32)
		mask, err2 := strconv.ParseUint(f[7], 16, 32)
		if err1 != nil || err2 != nil || mask == 0 {
			continue
		}
		var at [4]byte
		binary.LittleEndian.PutUint32(at[:], uint32(to))
		list = append(list, netip.PrefixFrom(netip.AddrFrom4(at), ones(uint32(mask))))
	}
	return list
}

func ones(mask uint32) (n int) {
	for ; mask != 0; mask &= mask - 1 {
		n++
	}
	return n
}
