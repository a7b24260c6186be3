package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// locate finds the folders of the groups that we are in, by controller of
// version 1; that of version 2 has the name "".
func locate() (map[string]string, error) {
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("find control groups: %w", err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("find control groups: %w", err)
	}
	return match(parseGroups(string(groups)), parseMounts(string(mounts))), nil
}

// parseGroups reads lines such as "8:pids:/path" and "0::/path".
func parseGroups(text string) map[string]string {
	groups := map[string]string{}
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			groups[controller] = parts[2]
		}
	}
	return groups
}

// mount of a hierarchy, or of a part of it.
type mount struct {
	root, place string
	controllers []string // {""} for version 2
}

// parseMounts reads lines such as
// "35 28 0:29 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids".
func parseMounts(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		before, after, _ := strings.Cut(strings.TrimSpace(line), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) < 3 {
			continue
		}
		m := mount{root: fields[3], place: fields[4]}
		switch kind[0] {
		case "cgroup2":
			m.controllers = []string{""}
		case "cgroup":
			m.controllers = strings.Split(kind[2], ",")
		default:
			continue
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// match finds where our groups are mounted. That of version 2 is the one around
// Subgroup.
func match(groups map[string]string, mounts []mount) map[string]string {
	places := map[string]string{}
	for controller, group := range groups {
		i := slices.IndexFunc(mounts, func(m mount) bool { return slices.Contains(m.controllers, controller) })
		if i < 0 {
			continue
		}
		// A container sees a part of the hierarchy, as if it were the whole.
		below, _ := strings.CutPrefix(group, strings.TrimSuffix(mounts[i].root, "/"))
		place := filepath.Join(mounts[i].place, below)
		if controller == "" && filepath.Base(place) == Subgroup {
			place = filepath.Dir(place)
		}
		places[controller] = place
	}
	return places
}
