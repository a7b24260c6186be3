package js

import "path/filepath"

// ServerFiles are the server's folder before anything is installed in it: the
// launcher, a manifest and its lock, by their paths.
func ServerFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range embedded() {
		content, err := serverFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if path, below := filepath.Split(name); path == "server/" {
			name = below
		}
		files[name] = content
	}
	return files, nil
}

// ServerVersion names what ServerFiles hold.
func ServerVersion() string { return serverVersion() }
