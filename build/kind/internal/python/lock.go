package python

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// lock is a set of packages that belong together.
type lock struct {
	pinned []pinned // by name
	direct []string // from an address: "name @ git+https://…@commit"
	local  []string // folders and files of the app, as the installer writes them
}

// pinned is one version of a package of a registry.
type pinned struct {
	name, version string
	hashes        []string // of its files: sha256:…
}

var (
	pinLine  = regexp.MustCompile(`^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)`)
	hashes   = regexp.MustCompile(`--hash=(\S+)`)
	fileLine = regexp.MustCompile(`(?:^|@ )(?:-e )?file://(\S+)`)
	nameRuns = regexp.MustCompile(`[-_.]+`)
)

func normalised(name string) string { return strings.ToLower(nameRuns.ReplaceAllString(name, "-")) }

// parseLock reads requirements as uv writes them.
func parseLock(text string) lock {
	var l lock
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch pin := pinLine.FindStringSubmatch(line); {
		case line == "" || line[0] == '#' || strings.HasPrefix(line, "--"):
		case pin != nil:
			p := pinned{name: normalised(pin[1]), version: pin[2]}
			for _, h := range hashes.FindAllStringSubmatch(line, -1) {
				p.hashes = append(p.hashes, h[1])
			}
			l.pinned = append(l.pinned, p)
		case fileLine.MatchString(line):
			l.local = append(l.local, strings.TrimPrefix(fileLine.FindStringSubmatch(line)[1], "localhost"))
		case strings.HasPrefix(line, "-e "), strings.HasPrefix(line, "."), strings.HasPrefix(line, "/"):
			place, _, _ := strings.Cut(strings.TrimPrefix(line, "-e "), " ")
			l.local = append(l.local, place)
		default:
			l.direct = append(l.direct, line)
		}
	}
	slices.SortFunc(l.pinned, func(a, b pinned) int { return strings.Compare(a.name, b.name) })
	slices.Sort(l.direct)
	return l
}

// String is what uv and pip read, without what belongs to the app itself.
func (l lock) String() string {
	var b strings.Builder
	for _, p := range l.pinned {
		fmt.Fprintf(&b, "%s==%s", p.name, p.version)
		for _, h := range p.hashes {
			fmt.Fprintf(&b, " \\\n    --hash=%s", h)
		}
		b.WriteString("\n")
	}
	for _, d := range l.direct {
		b.WriteString(d + "\n")
	}
	return b.String()
}

func (l lock) digest() string {
	sum := sha256.Sum256([]byte(l.String()))
	return hex.EncodeToString(sum[:])
}

// version of a package, "" if it is not there.
func (l lock) version(name string) string {
	for _, p := range l.pinned {
		if p.name == name {
			return p.version
		}
	}
	return ""
}

// only has the packages that are pinned, or those from addresses.
func (l lock) only(direct bool) lock {
	if direct {
		return lock{direct: l.direct}
	}
	return lock{pinned: l.pinned}
}

// trust takes the digests of another lock for what it pins too: whatever the
// registry says, a package that we know is the one that we know.
func (l lock) trust(known lock) lock {
	ours := map[string][]string{}
	for _, p := range known.pinned {
		ours[p.name+"=="+p.version] = p.hashes
	}
	for i, p := range l.pinned {
		if hashes, ok := ours[p.name+"=="+p.version]; ok {
			l.pinned[i].hashes = hashes
		}
	}
	return l
}

// constraints pins versions only.
func (l lock) constraints() string {
	var b strings.Builder
	for _, p := range l.pinned {
		fmt.Fprintf(&b, "%s==%s\n", p.name, p.version)
	}
	return b.String()
}
