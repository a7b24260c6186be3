package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// Tree is the digest of what is in a gzip tarball, in hex: of the names of its
// files and folders, of what is in the files, and of whether they can be
// executed. Order, times, owners and compression do not count, so the same
// source has the same digest however often it is packed.
//
// It needs 32 bytes of memory an entry. The tarball is read to its end, under
// the limits of a source.
func Tree(r io.Reader) (string, error) {
	var t tree
	if _, err := read(r, &t, Options{Limits: SourceLimits()}); err != nil {
		return "", err
	}
	return t.digest(), nil
}

// tree holds a digest for each entry.
type tree [][sha256.Size]byte

func (t *tree) folder(name string) error {
	t.add('d', 0, name, nil)
	return nil
}

func (t *tree) file(name string, perm fs.FileMode, content io.Reader) (int64, error) {
	sum := sha256.New()
	n, err := io.Copy(sum, content)
	t.add('f', perm, name, sum.Sum(nil))
	return n, err
}

func (t *tree) add(kind byte, perm fs.FileMode, name string, content []byte) {
	*t = append(*t, sha256.Sum256(fmt.Appendf(nil, "%c %o %d %s %x", kind, perm, len(name), name, content)))
}

// digest does not depend on the order of the entries.
func (t *tree) digest() string {
	slices.SortFunc(*t, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	sum := sha256.New()
	for _, entry := range *t {
		sum.Write(entry[:])
	}
	return hex.EncodeToString(sum.Sum(nil))
}
