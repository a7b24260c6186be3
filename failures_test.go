package slipway_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// codes are those of failures, as the source has them. What makes a failure of a
// code that it is given is followed to who gives it.
type codes struct {
	makers map[string]int    // place of the code among the parameters, by folder and name of the function
	found  map[string]string // where each code is, by code
}

// Every code of a failure is in docs/failures.md.
func TestFailuresAreDocumented(t *testing.T) {
	c := codes{map[string]int{}, map[string]string{}}
	for before := -1; before != len(c.makers); { // until there is nothing more to follow
		before = len(c.makers)
		eachSource(t, c.look)
	}
	docs, err := os.ReadFile("docs/failures.md")
	if err != nil {
		t.Fatal(err)
	}
	for code, where := range c.found {
		if !strings.Contains(string(docs), "`"+code+"`") {
			t.Errorf("docs/failures.md lacks %s, which is in %s", code, where)
		}
	}
	if len(c.found) < 80 {
		t.Errorf("only %d codes were found", len(c.found))
	}
}

// eachSource parses the product's own files.
func eachSource(t *testing.T, do func(path string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{"bench", "tools", "e2e", ".git", "driver/fake", "store/storetest"}, path):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			do(path, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (c codes) look(path string, file *ast.File) {
	folder := filepath.Dir(path)
	for _, d := range file.Decls {
		within, _ := d.(*ast.FuncDecl)
		given := func(value ast.Expr) { c.given(folder, path, within, value) }
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if nameOf(n.Type) == "Failure" {
					for _, e := range n.Elts {
						if field, ok := e.(*ast.KeyValueExpr); ok && nameOf(field.Key) == "Code" {
							given(field.Value)
						}
					}
				}
			case *ast.AssignStmt:
				if nameOf(n.Lhs[0]) == "Code" && len(n.Rhs) == 1 {
					given(n.Rhs[0])
				}
			case *ast.CallExpr:
				if at, makes := c.maker(folder, n.Fun); makes && at < len(n.Args) {
					given(n.Args[at])
				}
			}
			return true
		})
	}
}

// given takes what somebody gives as a code: the code, or what a caller gave.
func (c codes) given(folder, path string, within *ast.FuncDecl, value ast.Expr) {
	if text, ok := value.(*ast.BasicLit); ok && text.Kind == token.STRING {
		if code, err := strconv.Unquote(text.Value); err == nil {
			c.found[code] = path
		}
		return
	}
	if within == nil {
		return
	}
	at := 0
	for _, p := range within.Type.Params.List {
		for _, name := range p.Names {
			if name.Name == nameOf(value) {
				c.makers[folder+" "+within.Name.Name] = at
			}
			at++
		}
	}
}

// maker looks for a function by what it is called, in its own folder or in another
// package's.
func (c codes) maker(folder string, called ast.Expr) (at int, makes bool) {
	if at, makes = c.makers[folder+" "+nameOf(called)]; makes {
		return at, true
	}
	if s, ok := called.(*ast.SelectorExpr); ok {
		for name, at := range c.makers {
			of, function, _ := strings.Cut(name, " ")
			if function == s.Sel.Name && filepath.Base(of) == nameOf(s.X) {
				return at, true
			}
		}
	}
	return 0, false
}

// nameOf is the last name in an expression.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
