package image

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/slipwayhq/slipway/build/internal/failure"
)

// dockerfileName is the Dockerfile's in a context.
const dockerfileName = "Dockerfile"

// source is an unpacked app: files and folders, no links.
type source struct {
	dir     string
	ignored *patternmatcher.PatternMatcher
	hidden  map[string]string
}

// openSource reads what the app wants left out of its images.
func openSource(dir string, hidden map[string]string) (*source, error) {
	file, err := os.Open(filepath.Join(dir, ".dockerignore"))
	if errors.Is(err, fs.ErrNotExist) {
		return &source{dir: dir, hidden: hidden}, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return nil, err
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, failure.New("config", "dockerignore_invalid", ".dockerignore: %v.", err)
	}
	return &source{dir, ignored, hidden}, nil
}

// leavesOut says whether a file does not belong to the context. A folder that is
// ignored is looked into all the same: a later pattern may take back a file.
func (s *source) leavesOut(name string) (bool, error) {
	if s.hidden[name] != "" {
		return true, nil
	}
	if s.ignored == nil {
		return false, nil
	}
	return s.ignored.MatchesOrParentMatches(name)
}

// stream returns a context as it is read: the Dockerfile, our files, the source.
// The same files make the same bytes. The reader must be closed.
func (s *source) stream(r *recipe) io.ReadCloser {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(s.write(writer, r)) }()
	return reader
}

func (s *source) write(to io.Writer, r *recipe) error {
	w := tar.NewWriter(to)
	if err := writeBytes(w, dockerfileName, []byte(r.dockerfile)); err != nil {
		return err
	}
	for _, name := range sorted(r.ours) {
		if err := writeBytes(w, name, r.ours[name]); err != nil {
			return err
		}
	}
	if err := w.WriteHeader(header(contextApp+"/", tar.TypeDir, 0o755, 0)); err != nil {
		return err
	}
	err := filepath.WalkDir(s.dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(s.dir, file)
		if err != nil || name == "." {
			return err
		}
		if out, err := s.leavesOut(name); out || err != nil {
			return err
		}
		return writeEntry(w, file, path.Join(contextApp, filepath.ToSlash(name)), entry)
	})
	return errors.Join(err, w.Close())
}

func writeEntry(w *tar.Writer, file, name string, entry fs.DirEntry) error {
	if entry.IsDir() {
		return w.WriteHeader(header(name+"/", tar.TypeDir, 0o755, 0))
	}
	content, err := os.Open(file)
	if err != nil {
		return err
	}
	defer content.Close()
	info, err := content.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	if err := w.WriteHeader(header(name, tar.TypeReg, mode, info.Size())); err != nil {
		return err
	}
	_, err = io.Copy(w, content)
	return err
}

func writeBytes(w *tar.Writer, name string, content []byte) error {
	if err := w.WriteHeader(header(name, tar.TypeReg, 0o644, int64(len(content)))); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// header of an entry that is root's and has no time.
func header(name string, kind byte, mode, size int64) *tar.Header {
	return &tar.Header{Name: name, Typeflag: kind, Mode: mode, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
}
