package client

import (
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// rules say which files of an app stay behind: the usual ones, and what the
// ignore files at its root name. Ignore files further down are not read.
type rules struct {
	git    []rule
	docker []rule
	keep   string // packed whatever the ignore files say
}

// rule is one line of an ignore file.
type rule struct {
	pattern *regexp.Regexp
	keep    bool // the line began with "!"
	dirs    bool // the line ended with "/"
}

func readRules(app fs.FS) rules {
	return rules{git: readIgnore(app, ".gitignore", false), docker: readIgnore(app, ".dockerignore", true), keep: envFile(app)}
}

// envFile is the file that langgraph.json takes variables from. Ignore files
// name it as a rule, yet the app does not start without it.
func envFile(app fs.FS) string {
	raw, err := fs.ReadFile(app, "langgraph.json")
	if err != nil {
		return ""
	}
	var config struct{ Env any }
	_ = json.Unmarshal(raw, &config) // the server says what is wrong with it
	name, _ := config.Env.(string)
	return path.Clean(name)
}

func (r rules) skipDir(name string) bool {
	if skippedAlways(name) {
		return true
	}
	if strings.HasPrefix(r.keep, name+"/") {
		return false
	}
	return ignored(r.git, name, true) || !exceptions(r.docker) && ignored(r.docker, name, true)
}

func (r rules) skipFile(name string) bool {
	if name == r.keep {
		return false
	}
	return skippedAlways(name) || ignored(r.git, name, false) || r.inKeptDir(name) || ignoredWithin(r.docker, name)
}

// inKeptDir says whether a file lies in an ignored folder that was entered for
// the kept file only.
func (r rules) inKeptDir(name string) bool {
	for at := path.Dir(name); at != "."; at = path.Dir(at) {
		if ignored(r.git, at, true) {
			return true
		}
	}
	return false
}

// ignored decides as git does: the last rule that matches wins.
func ignored(list []rule, name string, dir bool) bool {
	out := false
	for _, r := range list {
		if (dir || !r.dirs) && r.pattern.MatchString(name) {
			out = !r.keep
		}
	}
	return out
}

// ignoredWithin decides as Docker does: a rule that matches a folder counts for
// what lies in it, and a later exception may take some of it back.
func ignoredWithin(list []rule, name string) bool {
	out := false
	for _, r := range list {
		for at := name; at != "."; at = path.Dir(at) {
			if r.pattern.MatchString(at) {
				out = !r.keep
				break
			}
		}
	}
	return out
}

func exceptions(list []rule) bool {
	for _, r := range list {
		if r.keep {
			return true
		}
	}
	return false
}

// readIgnore reads an ignore file; without one there are no rules. Docker's
// patterns begin at the root, git's only those with a slash before their end.
func readIgnore(app fs.FS, name string, anchored bool) []rule {
	raw, err := fs.ReadFile(app, name)
	if err != nil {
		return nil
	}
	var out []rule
	for line := range strings.Lines(string(raw)) {
		if r, ok := readRule(strings.TrimSpace(line), anchored); ok {
			out = append(out, r)
		}
	}
	return out
}

func readRule(line string, anchored bool) (rule, bool) {
	var r rule
	if strings.HasPrefix(line, "#") {
		return r, false
	}
	line, r.keep = strings.CutPrefix(line, "!")
	line, r.dirs = strings.CutSuffix(line, "/")
	if strings.Contains(line, "/") {
		anchored = true
	}
	line = strings.TrimPrefix(strings.TrimPrefix(line, "./"), "/")
	if line == "" {
		return r, false
	}
	expression := globExpression(line)
	if !anchored {
		expression = "(?:.*/)?" + expression
	}
	var err error
	r.pattern, err = regexp.Compile("^" + expression + "$")
	return r, err == nil
}

// globExpression writes a pattern of an ignore file as a regular expression.
func globExpression(glob string) string {
	var out strings.Builder
	for i := 0; i < len(glob); i++ {
		rest := glob[i:]
		switch {
		case strings.HasPrefix(rest, "**/"):
			out.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(rest, "**"):
			out.WriteString(".*")
			i++
		case rest[0] == '*':
			out.WriteString("[^/]*")
		case rest[0] == '?':
			out.WriteString("[^/]")
		case rest[0] == '[' && strings.Contains(rest, "]"):
			end := strings.IndexByte(rest, ']')
			out.WriteString(strings.Replace(rest[:end+1], "[!", "[^", 1))
			i += end
		case rest[0] == '\\' && len(rest) > 1:
			out.WriteString(regexp.QuoteMeta(rest[1:2]))
			i++
		default:
			out.WriteString(regexp.QuoteMeta(rest[:1]))
		}
	}
	return out.String()
}
