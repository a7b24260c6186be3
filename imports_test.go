package slipway_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/slipwayhq/slipway"

// allowed are the imports between neighbours that the rule does not cover.
var allowed = map[string][]string{
	"client": {"api"}, // the wire types are what it sends and gets
}

// wiring knows every package and puts them together.
var wiring = []string{"cmd", "e2e", "internal"}

// A package imports the domain, internal packages and its own subfolders; what
// it needs of a neighbour it asks for by an interface.
func TestImportGraph(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		from, ok := folder(fields[0])
		if !ok {
			for _, i := range fields[1:] {
				if strings.Contains(i, ".") {
					t.Errorf("the domain imports %s: it is for the standard library only", i)
				}
			}
			continue
		}
		for _, i := range fields[1:] {
			to, ok := folder(i)
			if ok && to != from && to != "internal" && !slices.Contains(wiring, from) && !slices.Contains(allowed[from], to) {
				t.Errorf("%s imports %s", fields[0], i)
			}
		}
	}
}

// folder is the first folder of a package of ours; the root has none.
func folder(path string) (string, bool) {
	rest, ours := strings.CutPrefix(path, module+"/")
	first, _, _ := strings.Cut(rest, "/")
	return first, ours
}
