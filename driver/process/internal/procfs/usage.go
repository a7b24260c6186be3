package procfs

import (
	"bytes"
	"os"
	"strconv"
)

// Entry is what one process uses.
type Entry struct {
	Parent, Session int
	Ticks           uint64 // of processor time, with that of its children that have ended
	Memory          int64  // bytes, resident
}

// Table is the processes of a machine at about one moment, by number.
type Table map[int]Entry

// Processes looks at all of them; one that has just ended is left out.
func Processes() Table {
	table := Table{}
	pids, _ := PIDs()
	for _, pid := range pids {
		var space [1024]byte
		line, err := read(path(pid, "stat"), space[:])
		if err != nil {
			continue
		}
		fields := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
		if len(fields) < 22 {
			continue
		}
		number := func(i int) int64 {
			n, _ := strconv.ParseInt(string(fields[i]), 10, 64)
			return n
		}
		table[pid] = Entry{
			Parent: int(number(1)), Session: int(number(3)),
			Ticks:  uint64(number(11) + number(12) + number(13) + number(14)),
			Memory: number(21) * int64(os.Getpagesize()),
		}
	}
	return table
}

// Uses sums what the session of a process uses, and what descends from it.
func (t Table) Uses(leader int) (ticks uint64, memory int64) {
	for pid, entry := range t {
		if entry.Session == leader || t.descends(pid, leader) {
			ticks += entry.Ticks
			memory += entry.Memory
		}
	}
	return ticks, memory
}

func (t Table) descends(pid, from int) bool {
	for range len(t) {
		if pid == from {
			return true
		}
		entry, there := t[pid]
		if !there || entry.Parent <= 1 {
			return false
		}
		pid = entry.Parent
	}
	return false
}
