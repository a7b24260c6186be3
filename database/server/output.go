package server

import (
	"bytes"
	"io"
	"os"
)

const (
	// mostOutput of PostgreSQL is kept.
	mostOutput = 16 << 20
	// mostQuoted is as much as an error quotes of it.
	mostQuoted = 1 << 10
)

// lastWords are the last lines that PostgreSQL said since its start.
func (s *Server) lastWords() string {
	file, err := os.Open(s.log())
	if err != nil {
		return ""
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	from := s.said
	if from > size { // it was trimmed
		from = 0
	}
	from = max(from, size-mostQuoted)
	words := make([]byte, size-from)
	if _, err := file.ReadAt(words, from); err != nil && err != io.EOF {
		return ""
	}
	return string(bytes.TrimSpace(words))
}

// trim empties the file once it has half of what is kept; the rest is kept beside
// it. PostgreSQL only appends, so its next line is at the beginning.
func (s *Server) trim() error {
	info, err := os.Stat(s.log())
	if err != nil || info.Size() < mostOutput/2 {
		return nil
	}
	return keepAside(s.log(), s.log()+".old")
}

func keepAside(path, aside string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer to.Close()
	if _, err := io.Copy(to, io.LimitReader(from, mostOutput/2)); err != nil {
		return err
	}
	return os.Truncate(path, 0)
}
