package image

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// plain are the names of folders and files that may stand in a Dockerfile: no
// character of them means something there or to a shell.
var plain = regexp.MustCompile(`^[\pL\pN._@+/-]+$`)

// checkName refuses what can not be written into a Dockerfile as it is.
func checkName(what, name string) error {
	if plain.MatchString(name) && !strings.HasPrefix(name, "-") {
		return nil
	}
	return failure.WithHint(
		failure.New("config", "name_refused", "%s is %q, which an image can not be built with.", what, name),
		"Name folders and files by letters, digits and '.', '_', '-', '+', '@'.")
}

// lines are the app's dockerfile_lines. They may do what instructions can, but
// not choose another base: that is the revision's, by digest.
func (a app) lines() ([]string, error) {
	raw := a.config.Raw["dockerfile_lines"]
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var lines []string
	if json.Unmarshal(raw, &lines) != nil {
		return nil, failure.New("config", "config_invalid", `%s: "dockerfile_lines" is not a list of strings.`, a.config.Path)
	}
	if found := otherBase.FindString(whole(strings.Join(lines, "\n"))); found != "" {
		return nil, failure.WithHint(
			failure.New("config", "dockerfile_lines_refused", `%s: "dockerfile_lines" has another base image: %q.`, a.config.Path, strings.TrimSpace(found)),
			"Lines are added after the base image's; set base_image to have another.")
	}
	return lines, nil
}

var otherBase = regexp.MustCompile(`(?im)^[ \t]*(FROM|ONBUILD[ \t]+FROM)\b.*$`)

// whole are lines as a builder reads them: without comments and empty lines, and
// with those joined that go on.
func whole(lines string) string {
	return goesOn.ReplaceAllString(skipped.ReplaceAllString(lines, ""), "")
}

var (
	skipped = regexp.MustCompile(`(?m)^[ \t\r]*(#.*)?\n`)
	goesOn  = regexp.MustCompile(`\\[ \t\r]*\n`)
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
