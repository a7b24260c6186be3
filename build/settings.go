package build

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/slipwayhq/slipway/internal/mask"
)

// settings are files by which a source may bring credentials for a registry.
var settings = regexp.MustCompile(`^(\.npmrc|\.yarnrc|\.yarnrc\.yml|bunfig\.toml|.*pip\.(conf|ini)|\.netrc|\.pypirc|uv\.toml|.*requirements.*\.(txt|in))$`)

// mostSettings is as much as is looked at of one of them, in bytes.
const mostSettings = 1 << 20

// maskSettings keeps the credentials that a source brings out of what is said.
func maskSettings(m *mask.Masker, dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !settings.MatchString(entry.Name()) {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, mostSettings))
		m.AddSettings(string(text))
		return err
	})
}
