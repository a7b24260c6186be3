package conformance

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"runtime/debug"
	"time"
)

// Target is the server under test and what it may be asked with.
type Target struct {
	URL      string // where the API answers, with no slash at its end; may end in /api-host
	Key      string // of a workspace, with every right in it
	OtherKey string // of a second workspace; "" for none
	OrgKey   string // of the organisation of the first; "" for none
	Image    string // an image to create deployments of; need not run
	App      []byte // gzip tarball of an app that builds and serves; nil for none
}

// Options choose the cases.
type Options struct {
	Only       *regexp.Regexp // cases whose group/name it matches; nil for all
	FactsOnly  bool           // leaves out choices
	Quick      bool           // leaves out builds that must succeed, and large uploads
	Extensions bool           // runs the additions of Slipway without asking whether there are any
	// Done is told of every case as soon as it has ended; nil for nobody.
	Done func(Result)
	// Patience is how long a build and a deletion may take; 0 for 15 minutes,
	// which is how long the vendor's command line waits.
	Patience time.Duration
}

// Outcome is how a case ended.
type Outcome string

const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	NotRun Outcome = "not run"
)

// Result is what came of a case.
type Result struct {
	Group      string        `json:"group"`
	Name       string        `json:"case"`
	Section    string        `json:"section"`
	Grade      Grade         `json:"grade"`
	Outcome    Outcome       `json:"result"`
	Reason     string        `json:"reason,omitempty"` // why it was not run
	Mismatches []Mismatch    `json:"mismatches,omitempty"`
	Took       time.Duration `json:"took_ns"`
}

// Mismatch is one difference between contract and server.
type Mismatch struct {
	Request string `json:"request"`
	Want    string `json:"expected"`
	Seen    string `json:"seen"`
}

// Report is what came of a run.
type Report struct {
	Results []Result `json:"results"`
	Left    []string `json:"left_behind,omitempty"` // what could not be deleted again, and why
}

// OK says whether nothing failed and nothing was left behind.
func (r Report) OK() bool { return r.Count(Failed) == 0 && len(r.Left) == 0 }

// Count returns how many cases ended so.
func (r Report) Count(o Outcome) (n int) {
	for _, result := range r.Results {
		if result.Outcome == o {
			n++
		}
	}
	return n
}

// cleanWithin bounds the cleaning up after a run that was cut short.
const cleanWithin = 2 * time.Minute

// Run runs the chosen cases. When ctx ends, the cases that are left are not run;
// what was made is deleted all the same.
func Run(ctx context.Context, target Target, options Options) Report {
	return run(ctx, Cases(), target, options)
}

func run(ctx context.Context, cases []Case, target Target, options Options) (report Report) {
	if options.Patience == 0 {
		options.Patience = 15 * time.Minute
	}
	s := newSession(ctx, target, options)
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(cleanWithin, options.Patience/3))
		defer cancel()
		report.Left = s.clean(clean)
	}()
	for _, c := range cases {
		if !options.chosen(c) {
			continue
		}
		r := s.try(ctx, c)
		report.Results = append(report.Results, r)
		if options.Done != nil {
			options.Done(r)
		}
	}
	return report
}

func (o Options) chosen(c Case) bool {
	return (o.Only == nil || o.Only.MatchString(c.String())) && (!o.FactsOnly || c.Grade != Choice)
}

// try runs one case.
func (s *session) try(ctx context.Context, c Case) (r Result) {
	r = Result{Group: c.Group, Name: c.Name, Section: c.Section, Grade: c.Grade, Outcome: NotRun}
	if ctx.Err() != nil {
		r.Reason = "the run was interrupted"
		return r
	}
	for _, n := range c.needs {
		if !n.met(s) {
			r.Reason = n.reason
			return r
		}
	}
	t, begin := &T{ctx: ctx, session: s}, time.Now()
	defer func() {
		r.Took = time.Since(begin)
		t.settle(&r, recover())
		s.deleteMade(context.WithoutCancel(ctx), t.made)
	}()
	c.run(t)
	return r
}

// settle writes down how a case ended; thrown is what it panicked with.
func (t *T) settle(r *Result, thrown any) {
	switch thrown := thrown.(type) {
	case nil, stopped:
	case lacking:
		r.Reason = thrown.reason
		return
	default:
		t.wrong("a case of this suite that ends", fmt.Sprintf("%v\n%s", thrown, debug.Stack()))
	}
	switch {
	case t.ctx.Err() != nil && len(t.mismatches) > 0:
		r.Reason = "the run was interrupted"
	case len(t.mismatches) > 0:
		r.Outcome, r.Mismatches = Failed, t.mismatches
	default:
		r.Outcome = Passed
	}
}

func randomSuffix() string {
	var b [4]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
