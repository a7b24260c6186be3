// Package reason quotes what an instance printed last, as why it ended.
package reason

import (
	"bytes"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/mask"
)

const (
	lines    = 20
	bytesMax = 4 << 10
	window   = 64 << 10 // read for it: a secret before the cut must be seen whole
)

// LastLines quotes the end of what an attempt, which began at from, wrote to a
// file; secrets are masked. It is "" if the attempt wrote nothing.
func LastLines(path string, from int64, secrets []string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	begin := max(from, size-window)
	text, _ := io.ReadAll(io.NewSectionReader(f, begin, size-begin))
	if begin > from {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return quote(mask.New(secrets...).String(string(text)))
}

// quote keeps the last lines that say something.
func quote(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	var said []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			said = append(said, line)
		}
	}
	text = strings.Join(said[max(0, len(said)-lines):], "\n")
	cut := max(0, len(text)-bytesMax)
	for cut < len(text) && !utf8.RuneStart(text[cut]) {
		cut++
	}
	return text[cut:]
}

// Secrets lists the values that must not be quoted.
func Secrets(vars []slipway.EnvVar) []string {
	var secrets []string
	for _, v := range vars {
		if !v.Public && v.Name != "PATH" && v.Name != "LANG" {
			secrets = append(secrets, v.Value)
		}
	}
	return secrets
}
