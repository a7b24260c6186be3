package appconfig

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Variable is the value that the app's env gives a variable, "" if it gives none.
// Root is the folder of the source.
func (c Config) Variable(root, name string) (string, error) {
	if c.EnvFile == "" {
		var pairs map[string]any
		if json.Unmarshal(c.Raw["env"], &pairs) != nil || pairs[name] == nil {
			return "", nil
		}
		return fmt.Sprint(pairs[name]), nil
	}
	if c.EnvFileMissing(root) {
		return "", nil
	}
	source, err := os.OpenRoot(root) // a link may lead out of it
	if err != nil {
		return "", err
	}
	defer source.Close()
	text, err := source.ReadFile(c.EnvFile)
	return assigned(string(text), name), err
}

// assigned reads a file of assignments: the last one counts, quotes and what
// follows a # do not.
func assigned(text, name string) (value string) {
	for line := range strings.Lines(text) {
		key, given, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if !ok || strings.TrimSpace(key) != name {
			continue
		}
		given, _, _ = strings.Cut(given, " #")
		value = strings.Trim(strings.TrimSpace(given), `"'`)
	}
	return value
}
