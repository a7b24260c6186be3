package archive

import (
	"archive/tar"
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/build/internal/failure"
)

// Step is the step of every failure of this package.
const Step = "unpack"

func broken(code, format string, args ...any) *slipway.Failure {
	return failure.New(Step, code, format, args...)
}

func tooLarge(format string, args ...any) *slipway.Failure {
	return failure.WithHint(broken("archive_too_large", format, args...), "Leave out what is not needed to run the app.")
}

func unsafePath(name, why string) *slipway.Failure {
	return broken("unsafe_path", "The source holds an entry with an unsafe name, %s: %s.", quote(name), why)
}

// checkName refuses names that do not stay below the root, and those that no
// honest tool writes.
func checkName(name string, limit int) error {
	switch {
	case name == "":
		return unsafePath(name, "it is empty")
	case strings.HasPrefix(name, "/"):
		return unsafePath(name, "it is absolute")
	case limit > 0 && len(name) > limit:
		return unsafePath(name, "it is too long")
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return unsafePath(name, "it holds control characters")
	}
	for segment := range strings.SplitSeq(name, "/") {
		switch {
		case segment == "..":
			return unsafePath(name, "it leaves the root by '..'")
		case len(segment) > 255:
			return unsafePath(name, "it is too long")
		}
	}
	return nil
}

func refuseType(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeSymlink:
		return link(h, "symbolic")
	case tar.TypeLink:
		return link(h, "hard")
	}
	return broken("unsupported_entry", "The source holds %s, which is neither a file nor a folder.", quote(h.Name))
}

func link(h *tar.Header, kind string) error {
	return failure.WithHint(
		broken("unsafe_link", "The source holds a %s link, %s to %s: links are not taken.", kind, quote(h.Name), quote(h.Linkname)),
		"Put the file itself in its place.")
}

// clash explains why a file or folder could not be made: with no links about,
// because another entry is in its place.
func (u *unpacking) clash(err error) error {
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) {
		return broken("duplicate_entry", "The source holds %s twice, or as a file and as a folder.", quote(u.entry))
	}
	return err
}

func notGzip(packed *counter, err error) error {
	switch {
	case packed.err != nil:
		return packed.err
	case packed.n == 0:
		return broken("not_gzip", "The source is empty: a gzip tarball is needed.")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return broken("truncated_archive", "The source ends in its first bytes.")
	}
	return broken("not_gzip", "The source is not a gzip tarball: %v.", err)
}

// explain tells what is wrong with the tarball from what is wrong with the
// machine.
func (u *unpacking) explain(err error) error {
	if f, ok := errors.AsType[*slipway.Failure](err); ok {
		return f
	}
	switch {
	case u.packed.err != nil:
		return u.packed.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return broken("truncated_archive", "The source is cut off%s: %v.", u.where(), io.ErrUnexpectedEOF)
	case errors.Is(err, gzip.ErrHeader):
		return broken("trailing_garbage", "The source goes on after its end with something else: %v.", gzip.ErrHeader)
	case corrupt(err):
		return broken("corrupt_archive", "The source is damaged%s: %v.", u.where(), err)
	case errors.Is(err, tar.ErrHeader):
		return broken("not_tar", "The source is not a tarball%s: %v.", u.where(), tar.ErrHeader)
	}
	return err
}

func (u *unpacking) where() string {
	switch {
	case u.ended:
		return " at its end"
	case u.entry != "":
		return " at or after " + quote(u.entry)
	}
	return ""
}

// corrupt says whether the compressed bytes themselves are wrong.
func corrupt(err error) bool {
	_, flawed := errors.AsType[flate.CorruptInputError](err)
	return flawed || errors.Is(err, gzip.ErrChecksum)
}

// quote shortens names for messages and makes odd bytes visible.
func quote(name string) string {
	if len(name) > 100 {
		name = name[:100] + "…"
	}
	return strings.ToValidUTF8(strings.Map(visible, name), "\uFFFD")
}

func visible(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '\uFFFD'
	}
	return r
}
