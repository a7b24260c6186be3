package appconfig

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

var languages = map[string]Language{
	".ts": JavaScript, ".tsx": JavaScript, ".mts": JavaScript, ".cts": JavaScript,
	".js": JavaScript, ".jsx": JavaScript, ".mjs": JavaScript, ".cjs": JavaScript,
	".py": Python,
}

// language of a graph. Python apps may name a module in place of a file.
func (g Graph) language() Language {
	if g.Module != "" {
		return Python
	}
	return languages[path.Ext(g.File)]
}

// readLanguage wants one language for all graphs.
func (c *Config) readLanguage(file) error {
	for _, g := range c.Graphs {
		l := g.language()
		switch {
		case l == "":
			return failure.WithHint(c.wrong("graph_language", "graph %q is in %s, whose ending is no language that is served", g.Name, g.File),
				"Graphs are .py, .ts, .tsx, .mts, .cts, .js, .jsx, .mjs or .cjs files.")
		case c.Language != "" && c.Language != l:
			return c.wrong("mixed_languages", "graphs %q and %q are in different languages (%s and %s): an app has one", c.Graphs[0].Name, g.Name, c.Language, l)
		}
		c.Language = l
	}
	return nil
}

// readNode takes a major version, as a string or a number.
func (c *Config) readNode(f file) error {
	c.Node = MinNode
	if len(f.NodeVersion) == 0 || string(f.NodeVersion) == "null" {
		return nil
	}
	text := string(f.NodeVersion)
	json.Unmarshal(f.NodeVersion, &text)
	major, err := strconv.Atoi(strings.TrimPrefix(text, "v"))
	if err != nil {
		return failure.WithHint(c.wrong("node_version_invalid", `"node_version" is %s, which is not a major version`, f.NodeVersion),
			`Write the major version only: "node_version": "22".`)
	}
	if major < MinNode {
		return c.wrong("node_version_invalid", `"node_version" is %d; the lowest that the Agent Server runs on is %d`, major, MinNode)
	}
	c.Node = major
	return nil
}

// checkFiles looks for the files that are named. Modules of Python are found by
// importing them.
func (c *Config) checkFiles(source *os.Root) error {
	for _, g := range c.Graphs {
		if g.Module != "" {
			continue
		}
		if err := c.checkFile(source, "graph", fmt.Sprintf("graph %q", g.Name), g.File); err != nil {
			return err
		}
	}
	if c.Language == Python {
		return c.checkPython(source)
	}
	return nil
}

// checkFile wants a file of the source. What begins the code of a failure, said
// its message.
func (c *Config) checkFile(source *os.Root, what, said, file string) error {
	if !fs.ValidPath(file) {
		return c.wrong(what+"_outside", "%s is in %s, which is not inside the source", said, file)
	}
	info, err := source.Stat(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return failure.WithHint(c.wrong(what+"_not_found", "%s is in %s, which is not a file in the source", said, file), "%s", alike(source, file))
	}
	if err != nil {
		return unreadable(file, err)
	}
	return nil
}

// alike names what lies there instead.
func alike(source *os.Root, file string) string {
	dir := path.Dir(file)
	entries, _ := fs.ReadDir(source.FS(), dir)
	names := []string{}
	for _, entry := range entries {
		if languages[path.Ext(entry.Name())] != "" {
			names = append(names, entry.Name())
		}
	}
	if len(names) == 0 {
		return "Look at the path, and that the file was packed."
	}
	names = names[:min(len(names), 10)]
	slices.Sort(names)
	return "In " + dir + " there is " + strings.Join(names, ", ") + "."
}

// EnvFileMissing says whether env names a file that is not in the source, as is
// usual: such files are rarely packed.
func (c Config) EnvFileMissing(root string) bool {
	if c.EnvFile == "" {
		return false
	}
	_, err := fs.Stat(os.DirFS(root), c.EnvFile)
	return err != nil
}
