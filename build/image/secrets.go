package image

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// credential is what makes a configuration of a package manager secret: an
// address with a password, or a setting that holds one.
var credential = regexp.MustCompile(`(?i)(://[^\s/]*@|_auth|_?password|token)`)

// hideSecrets keeps files with credentials out of the source that is copied:
// commands that install get them by mount.
func (w *writer) hideSecrets() error {
	return fs.WalkDir(w.files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "node_modules":
			return fs.SkipDir
		case !entry.Type().IsRegular() || !w.mayHold(name):
			return nil
		}
		content, err := fs.ReadFile(w.files, name)
		if err != nil || !credential.Match(content) {
			return err
		}
		w.hidden[name] = fmt.Sprintf("slipway-file-%d", len(w.hidden))
		return checkName("A file with credentials", name)
	})
}

func (w *writer) mayHold(name string) bool {
	switch path.Base(name) {
	case ".npmrc", ".yarnrc.yml":
		return true
	}
	return name == w.config.Python.PipConfig
}

// checkSecrets refuses what the engine's builder can not keep out of layers.
func (w *writer) checkSecrets() error {
	if w.mounts || len(w.secrets)+len(w.hidden) == 0 {
		return nil
	}
	what := "The build has secrets"
	if len(w.secrets) == 0 {
		what = fmt.Sprintf("%s has credentials in it", sorted(w.hidden)[0])
	}
	return failure.WithHint(
		failure.New("config", "secrets_need_buildkit", "%s, and this container engine has no BuildKit: they would stay in the image.", what),
		"Have the server use an engine with BuildKit (Docker 18.09 or newer, not Windows), or take the secrets out.")
}

// secretFiles are the contents of the hidden files by the ids of their mounts.
func (r *recipe) secretFiles(files fs.FS) (map[string][]byte, error) {
	secrets := map[string][]byte{}
	var all error
	for name, id := range r.hidden {
		content, err := fs.ReadFile(files, name)
		secrets[id], all = content, errors.Join(all, err)
	}
	return secrets, all
}
