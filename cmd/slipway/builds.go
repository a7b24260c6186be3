package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway/build"
)

// buildFlags say what builds are held by.
type buildFlags struct {
	uids    string
	wrapper string
	limits  build.Limits
}

// defaultBuildUIDs lie where no distribution, and systemd neither, gives numbers
// to anybody, and below 65536, so that containers have them too.
const defaultBuildUIDs = "60800-60863"

// noBuildUIDs has builds run as the server's own user.
const noBuildUIDs = "none"

func (f *buildFlags) register(flags *pflag.FlagSet) {
	f.limits = build.DefaultLimits()
	flags.StringVar(&f.uids, "build-uids", defaultBuildUIDs, "users that builds run as if this server is root, first-last: the first fetches, each other\nruns one app's build at a time; \"none\" for the server's own user")
	flags.StringVar(&f.wrapper, "build-wrapper", "", "program with arguments, separated by spaces, that every program of a build is started by,\nsuch as \"ip netns exec builds\"")
	flags.DurationVar(&f.limits.Wall, "build-timeout", f.limits.Wall, "how long a program of a build may run")
	flags.DurationVar(&f.limits.CPU, "build-cpu-time", f.limits.CPU, "how much processor time it may take, with all that it starts")
	flags.Var((*byteSize)(&f.limits.Memory), "build-memory", "how much memory, such as 4GiB or 512MiB")
	flags.Int64Var(&f.limits.Processes, "build-processes", f.limits.Processes, "how many processes and threads")
	flags.Var((*byteSize)(&f.limits.Disk), "build-disk", "how much space on the disk a build may take")
	flags.Int64Var(&f.limits.Files, "build-files", f.limits.Files, "how many files and folders a build may make")
	flags.Var((*byteSize)(&f.limits.Output), "build-output", "how much each program may write to the log; the rest is left out")
}

// users that the flag names.
func (f *buildFlags) users() (u build.Users, err error) {
	if f.uids == noBuildUIDs {
		return u, nil
	}
	if _, err := fmt.Sscanf(f.uids, "%d-%d", &u.First, &u.Last); err != nil || u.First <= 0 || u.Last <= u.First {
		return u, usagef("--build-uids %q: want first-last, such as %s, or %s", f.uids, defaultBuildUIDs, noBuildUIDs)
	}
	return u, nil
}

// byteSize is a number of bytes, written with a unit.
type byteSize int64

var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

func (s *byteSize) Set(text string) error {
	for _, unit := range units {
		number, ok := strings.CutSuffix(text, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/unit.bytes {
			break
		}
		*s = byteSize(n * unit.bytes)
		return nil
	}
	return fmt.Errorf("want a size such as 4GiB or 512MiB")
}

func (s *byteSize) String() string {
	for _, unit := range units {
		if n := int64(*s); n >= unit.bytes && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.name
		}
	}
	return "0"
}

func (s *byteSize) Type() string { return "size" }

// shortest of the limits that make sense.
const shortestBuild = time.Second

func (f *buildFlags) check() error {
	if f.limits.Wall != 0 && f.limits.Wall < shortestBuild {
		return usagef("--build-timeout %s: want at least %s", f.limits.Wall, shortestBuild)
	}
	if f.limits.CPU != 0 && f.limits.CPU < shortestBuild {
		return usagef("--build-cpu-time %s: want at least %s", f.limits.CPU, shortestBuild)
	}
	return nil
}
