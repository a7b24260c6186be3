package cgroup

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// In the package, since what machines mount can not be had in a test.
func TestMatch(t *testing.T) {
	cases := map[string]struct {
		groups, mounts string
		want           map[string]string
	}{
		"version 2": {
			"0::/system.slice/slipway.service\n",
			"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			map[string]string{"": "/sys/fs/cgroup/system.slice/slipway.service"},
		},
		"version 2, with a group of the server's own": {
			"0::/system.slice/slipway.service/slipway-server\n",
			"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			map[string]string{"": "/sys/fs/cgroup/system.slice/slipway.service"},
		},
		"both": {
			"8:pids:/a\n4:memory:/b/c\n2:cpu,cpuacct:/\n0::/\n",
			"1 2 0:3 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n1 2 0:4 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
				"1 2 0:5 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n1 2 0:6 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n1 2 0:7 / / rw - ext4 /dev/x rw\n",
			map[string]string{"": "/sys/fs/cgroup/unified", "pids": "/sys/fs/cgroup/pids/a", "memory": "/sys/fs/cgroup/memory/b/c", "cpu": "/sys/fs/cgroup/cpu", "cpuacct": "/sys/fs/cgroup/cpu"},
		},
		"a container": {
			"4:memory:/docker/abc\n",
			"1 2 0:4 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			map[string]string{"memory": "/sys/fs/cgroup/memory"},
		},
		"not mounted": {"4:memory:/a\n", "", map[string]string{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := match(parseGroups(c.groups), parseMounts(c.mounts)); !maps.Equal(got, c.want) {
				t.Errorf("got %v", got)
			}
		})
	}
}

// Version 2 as files, for kernels that give it no memory to bound.
func TestVersion2(t *testing.T) {
	dir := t.TempDir()
	g := &Group{name: "g", tree: &Tree{unified: dir, holds: map[string]bool{memory: true, pids: true, cpu: true, quota: true}, v1: map[string]string{}, missing: map[string]error{}}}
	os.Mkdir(filepath.Join(dir, "g"), 0o755)
	for name, text := range map[string]string{
		"memory.max": "", "pids.max": "", "cpu.max": "", "memory.stat": "anon 1000\nfile 5\nfile_mapped 24\n", "memory.events": "low 0\nmax 4\noom 2\noom_kill 3\n",
		"pids.events": "max 5\n", "cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
	} {
		os.WriteFile(filepath.Join(dir, "g", name), []byte(text), 0o644)
	}
	if err := g.limitMemory(1 << 20); err != nil { // without memory.swap.max: swap is not counted
		t.Error(err)
	}
	if err := g.limitProcesses(7); err != nil {
		t.Error(err)
	}
	if err := g.limitCPU(1.5); err != nil || read(g.file("", "cpu.max")) != "150000 100000" {
		t.Errorf("cpu.max %s, %v", read(g.file("", "cpu.max")), err)
	}
	if held, counted := g.Memory(); held != 1024 || !counted {
		t.Errorf("memory %d, %v", held, counted)
	}
	spent, counted := g.CPU()
	if read(g.file("", "memory.max")) != "1048576" || read(g.file("", "pids.max")) != "7" || g.OutOfMemory() != 3 || g.Refused() != 5 || !counted || spent.Seconds() != 1.5 {
		t.Errorf("memory.max %s, pids.max %s, %d killed, %d refused, %v", read(g.file("", "memory.max")), read(g.file("", "pids.max")), g.OutOfMemory(), g.Refused(), spent)
	}
}
