package conformance

// Grade is how firmly the contract says what a case asks for.
type Grade string

const (
	Fact     Grade = "fact"
	Observed Grade = "observed"
	Choice   Grade = "choice"
)

// Case is one thing that the contract promises.
type Case struct {
	Group   string
	Name    string // what the server does, in a few words
	Section string // of the contract, as in §3
	Grade   Grade
	needs   []need
	run     func(*T)
}

// String is what Options.Only matches.
func (c Case) String() string { return c.Group + "/" + c.Name }

// need is something that not every run has.
type need struct {
	reason string // why a case without it is not run
	met    func(*session) bool
}

var (
	otherKey   = need{"no key of a second workspace was given", func(s *session) bool { return s.target.OtherKey != "" }}
	orgKey     = need{"no organisation-scoped key was given", func(s *session) bool { return s.target.OrgKey != "" }}
	app        = need{"no app to build and deploy was given", func(s *session) bool { return s.target.App != nil && !s.options.Quick }}
	bulk       = need{"large uploads are left out of a quick run", func(s *session) bool { return !s.options.Quick }}
	extensions = need{"the server does not mark extensions in its /openapi.json", func(s *session) bool { return s.extensions() }}
)

func (c Case) with(needs ...need) Case {
	c.needs = append(c.needs, needs...)
	return c
}

func fact(section, name string, run func(*T)) Case {
	return Case{Section: section, Name: name, Grade: Fact, run: run}
}

func observed(section, name string, run func(*T)) Case {
	return Case{Section: section, Name: name, Grade: Observed, run: run}
}

func choice(section, name string, run func(*T)) Case {
	return Case{Section: section, Name: name, Grade: Choice, run: run}
}

// Cases returns every case, in the order in which they run.
func Cases() []Case {
	var all []Case
	for _, g := range []struct {
		name  string
		cases []Case
	}{
		{"http", httpCases()},
		{"auth", authCases()},
		{"validation", validationCases()},
		{"lists", listCases()},
		{"create", createCases()},
		{"secrets", secretCases()},
		{"patch", patchCases()},
		{"resources", resourceCases()},
		{"revisions", revisionCases()},
		{"uploads", uploadCases()},
		{"pushes", pushCases()},
		{"logs", logCases()},
		{"listeners", listenerCases()},
		{"deletion", deletionCases()},
		{"undo", undoCases()},
		{"rollout", rolloutCases()},
		{"slipway", extensionCases()},
	} {
		for _, c := range g.cases {
			c.Group = g.name
			all = append(all, c)
		}
	}
	return all
}
