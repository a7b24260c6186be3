package service_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/slipwayhq/slipway"
)

func (p *plane) print(d slipway.DeploymentID, origin string, first, n int) {
	p.t.Helper()
	lines := make([]slipway.LogLine, n)
	for i := range lines {
		lines[i] = slipway.LogLine{
			Deployment: d, Kind: slipway.DeployLog, Origin: origin, Offset: int64(first + i + 1),
			At: p.clock(), Level: "INFO", Message: fmt.Sprintf("%s %d", origin, first+i),
		}
	}
	must(p.t, p.store.Update(p.t.Context(), func(tx slipway.Tx) error { return tx.AppendLogs(lines) }))
}

// Whoever pages through a log, in either order, sees each line once, whatever
// is printed meanwhile and however the agent's clock goes.
func TestPagesOfALogNeitherRepeatNorLoseALine(t *testing.T) {
	p := newPlane(t)
	number := 0
	rapid.Check(t, func(r *rapid.T) {
		number++
		d := p.create(fmt.Sprintf("app-%d", number)).ID
		newest := rapid.Bool().Draw(r, "newest")
		printed := map[string]int{"one": 0, "two": 0}
		begin := rapid.IntRange(0, 9).Draw(r, "begin")
		p.print(d, "one", 0, begin)
		printed["one"] = begin
		q := slipway.LogQuery{Deployment: d, Kind: slipway.DeployLog, Newest: newest}
		var seen []string
		for rounds := rapid.IntRange(1, 6).Draw(r, "rounds"); rounds >= 0; rounds-- {
			q.Limit = rapid.IntRange(-1, 4).Draw(r, "limit")
			if rounds == 0 {
				q.Limit = 1 << 30
			}
			lines, next, err := p.Logs(t.Context(), p.who, q)
			must(t, err)
			for _, l := range lines {
				seen = append(seen, l.Message)
			}
			q.After = next
			origin, more := rapid.SampledFrom([]string{"one", "two"}).Draw(r, "origin"), rapid.IntRange(0, 5).Draw(r, "more")
			if rounds > 0 && !(newest && len(seen) == 0) {
				p.pass(time.Duration(rapid.IntRange(-5, 5).Draw(r, "clock")) * time.Second)
				p.print(d, origin, printed[origin], more)
				printed[origin] += more
			}
		}
		wanted := begin
		if !newest {
			wanted = printed["one"] + printed["two"]
		}
		unique := slices.Compact(slices.Sorted(slices.Values(seen)))
		if len(unique) != len(seen) || len(seen) != wanted {
			r.Fatalf("%d lines, %d of them different, of %d: %v", len(seen), len(unique), wanted, seen)
		}
	})
}
