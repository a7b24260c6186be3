package check

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// groupStarts are the places of a hyphenated UUID's groups.
var (
	groupStarts  = [5]int{0, 9, 14, 19, 24}
	groupLengths = [5]int{8, 4, 4, 4, 12}
)

const urn = "urn:uuid:"

// parseUUID returns the canonical form, or why there is none in the words that clients see.
func parseUUID(s string) (canonical, fault string) {
	if len(s) == 32 && allHex(s) {
		return hyphenate(strings.ToLower(s)), ""
	}
	if body, _, _ := unwrapUUID(s); len(body) == 36 {
		s = body // faults are told of the inner text then
	}
	if len(s) == 36 && hyphenated(s) {
		return strings.ToLower(s), ""
	}
	return "", uuidFault(s)
}

func unwrapUUID(s string) (body string, offset int, wrapped bool) {
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") && len(s) > 1 {
		return s[1 : len(s)-1], 1, true
	}
	if rest, found := strings.CutPrefix(s, urn); found {
		return rest, len(urn), true
	}
	return s, 0, false
}

func hyphenate(s string) string {
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func hyphenated(s string) bool {
	for i, start := range groupStarts {
		if i > 0 && s[start-1] != '-' || !allHex(s[start:start+groupLengths[i]]) {
			return false
		}
	}
	return true
}

func allHex(s string) bool {
	for i := range len(s) {
		if !isHex(s[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func uuidFault(s string) string {
	body, offset, wrapped := unwrapUUID(s)
	var hyphens []int
	for i, c := range body {
		if c == '-' {
			hyphens = append(hyphens, i)
		} else if c >= utf8.RuneSelf || !isHex(byte(c)) {
			return fmt.Sprintf("invalid character: found `%c` at %d", c, i+offset+1)
		}
	}
	if len(hyphens) == 0 && !wrapped {
		return fmt.Sprintf("invalid length: expected length 32 for simple format, found %d", len(s))
	}
	if len(hyphens) != 4 {
		return fmt.Sprintf("invalid group count: expected 5, found %d", len(hyphens)+1)
	}
	return groupFault(s, hyphens)
}

func groupFault(s string, hyphens []int) string {
	const format = "invalid group length in group %d: expected %d, found %d"
	for i, at := range hyphens {
		if at != groupStarts[i+1]-1 {
			return fmt.Sprintf(format, i, groupLengths[i], at-groupStarts[i])
		}
	}
	return fmt.Sprintf(format, 4, groupLengths[4], len(s)-groupStarts[4])
}
