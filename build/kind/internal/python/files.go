package python

import "embed"

// Files are a launcher's, its own and those that all share, by their paths.
func Files(own embed.FS) map[string][]byte {
	files := map[string][]byte{}
	for _, from := range []embed.FS{shared, own} {
		walk(from, func(name string, content []byte) error {
			files[name] = content
			return nil
		})
	}
	return files
}
