package database

import (
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
)

const (
	one = slipway.DeploymentID("0198a000-0000-7000-8000-000000000001")
	two = slipway.DeploymentID("0198a000-0000-7000-8000-000000000002")
)

func TestLabel(t *testing.T) {
	l := label{deployment: one, owner: `host "a" b-abcdef`, made: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	if got, ok := readLabel(l.String()); !ok || got != l {
		t.Errorf("%+v, %t", got, ok)
	}
	for _, comment := range []string{"", "slipway", l.String() + " ", " " + l.String(), `slipway deployment=x installation="a" made=2026-03-01T12:00:00Z`, `slipway deployment=` + string(one) + ` installation="a" made=today`} {
		if l, ok := readLabel(comment); ok {
			t.Errorf("%q is %+v", comment, l)
		}
	}
}

// A label is believed for the names of its deployment only.
func TestJudge(t *testing.T) {
	mine := label{deployment: one, owner: "here", made: time.Unix(0, 0)}.String()
	theirs := label{deployment: one, owner: "there", made: time.Unix(0, 0)}.String()
	n := ownerName(one)
	for name, c := range map[string]struct {
		found                   found
		comment, owner, ofOwner string
		ours                    bool
	}{
		"a role":                    {found{name: n}, mine, n, "", true},
		"a login":                   {found{name: n + "_12"}, mine, n, "", true},
		"a keeper":                  {found{name: keeperName(one)}, mine, n, "", true},
		"a database":                {found{name: n, database: true}, mine, n, mine, true},
		"one by its owner":          {found{name: newName(one), database: true}, "", n, mine, true},
		"one given away":            {found{name: n, database: true}, "", "postgres", "", false},
		"one of an owner elsewhere": {found{name: n, database: true}, "", n, theirs, false},
		"one with an agent's words": {found{name: n, database: true}, "keep this", n, mine, true},
		"one with an agent's label": {found{name: n, database: true}, theirs, n, mine, true},
		"a label alone":             {found{name: n, database: true}, mine, n, "", false},
		"one that was handed over":  {found{name: n, database: true}, mine, "postgres", "", true},
		"one with other words":      {found{name: n, database: true}, "keep this", "postgres", mine, false},
		"another installation's":    {found{name: n, database: true}, theirs, "postgres", mine, false},
		"another deployment's":      {found{name: ownerName(two)}, mine, ownerName(two), "", false},
		"another name":              {found{name: n + "_copy", database: true}, mine, n, mine, false},
		"no number":                 {found{name: n + "_01"}, mine, n, "", false},
		"longer":                    {found{name: n + "0"}, mine, n, "", false},
	} {
		c.found.judge("here", c.comment, c.owner, c.ofOwner)
		if c.found.ours != c.ours {
			t.Errorf("%s: ours %t, want %t", name, c.found.ours, c.ours)
		}
	}
}

func TestOver(t *testing.T) {
	for _, c := range []struct {
		bytes, quota int64
		held, want   bool
	}{
		{1000, 0, false, false},
		{1000, 0, true, false},
		{1000, 1000, false, false},
		{1001, 1000, false, true},
		{950, 1000, true, true},
		{901, 1000, true, true},
		{900, 1000, true, false},
		{950, 1000, false, false},
	} {
		if got := over(c.bytes, c.quota, c.held); got != c.want {
			t.Errorf("%d of %d, held %t: %t", c.bytes, c.quota, c.held, got)
		}
	}
}
