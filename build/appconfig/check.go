package appconfig

import (
	"encoding/json"
	"errors"
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
	ext := path.Ext(g.File)
	if _, known := languages[ext]; !known && !strings.Contains(g.File, "/") && g.Export != "" {
		return Python
	}
	return languages[ext]
}

// readLanguage wants one language for all graphs.
func (c *Config) readLanguage(file) error {
	for _, g := range c.Graphs {
		l := g.language()
		switch {
		case l == "":
			return failure.WithHint(c.wrong("graph_language", "graph %q is in %s, whose ending is no language that is served", g.Name, g.File),
				"Graphs are .ts, .tsx, .mts, .cts, .js, .jsx, .mjs or .cjs files.")
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

// checkFiles looks for the files of the graphs; Python's may be modules, which
// are found by importing them.
func (c *Config) checkFiles(source *os.Root) error {
	if c.Language == Python {
		return nil
	}
	for _, g := range c.Graphs {
		if !fs.ValidPath(g.File) {
			return c.wrong("graph_outside", "graph %q is in %s, which is not inside the source", g.Name, g.File)
		}
		info, err := source.Stat(g.File)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
			return failure.WithHint(c.wrong("graph_not_found", "graph %q is in %s, which is not a file in the source", g.Name, g.File), "%s", alike(source, g.File))
		}
		if err != nil {
			return unreadable(g.File, err)
		}
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
