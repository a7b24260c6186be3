package trace

import (
	"slices"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

// Order is the dotted order of a run: the start and the identity of every run
// from the root down to it. The runs of a trace sorted by it are its tree, depth
// first.
type Order string

// Step is one run on the way from the root.
type Step struct {
	Start time.Time
	ID    ID
}

const (
	stepTime = "20060102T150405"
	// stepDigits is how many digits of a second the SDKs write.
	stepDigits = 6
	// maxSteps bounds how deep a run may lie.
	maxSteps = 1000
)

// Steps reads the order, root first.
func (o Order) Steps() ([]Step, error) {
	parts := strings.Split(string(o), ".")
	if len(parts) > maxSteps {
		return nil, slipway.Errorf(slipway.CodeInvalid, "Invalid dotted_order: it has %d steps; at most %d are kept.", len(parts), maxSteps)
	}
	steps := make([]Step, len(parts))
	for i, part := range parts {
		at, id, found := strings.Cut(part, "Z")
		step, ok := readStep(at, id)
		if !found || !ok {
			return nil, slipway.Errorf(slipway.CodeInvalid, "Invalid dotted_order %q: each step is a time like 20260301T120000000000Z and the run's UUID.", clip(string(o)))
		}
		steps[i] = step
	}
	return steps, nil
}

func readStep(at, text string) (Step, bool) {
	if len(at) < len(stepTime) || len(at) > len(stepTime)+9 {
		return Step{}, false
	}
	start, err := time.Parse(stepTime, at[:len(stepTime)])
	if err != nil {
		return Step{}, false
	}
	fraction := time.Duration(0)
	for i, unit := len(stepTime), 100*time.Millisecond; i < len(at); i, unit = i+1, unit/10 {
		if at[i] < '0' || at[i] > '9' {
			return Step{}, false
		}
		fraction += time.Duration(at[i]-'0') * unit
	}
	id, err := ParseID(text)
	return Step{start.Add(fraction), id}, err == nil
}

// With is the order of a child, or of a root run if o is "".
func (o Order) With(start time.Time, id ID) Order {
	b := slices.Clone([]byte(o))
	if o != "" {
		b = append(b, '.')
	}
	b = start.UTC().AppendFormat(b, stepTime+".000000")
	b = slices.Delete(b, len(b)-stepDigits-1, len(b)-stepDigits) // the point
	return Order(id.append(append(b, 'Z')))
}

// Plain says whether an order of which Steps are known is as With writes them.
func (o Order) Plain() bool {
	const length = len(stepTime) + stepDigits + len("Z") + 36
	for step := range strings.SplitSeq(string(o), ".") {
		if len(step) != length || strings.ContainsAny(step[length-36:], "ABCDEF") {
			return false
		}
	}
	return true
}

// Began is when the trace began, false if the order does not tell.
func (o Order) Began() (time.Time, bool) {
	first, _, _ := strings.Cut(string(o), ".")
	at, id, _ := strings.Cut(first, "Z")
	step, ok := readStep(at, id)
	return step.Start, ok
}
