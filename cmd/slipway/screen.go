package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"
)

// silence is how long we may have nothing to say.
const silence = 10 * time.Second

// screen prints whole lines from several goroutines, and knows how long it has
// been quiet.
type screen struct {
	mu     sync.Mutex
	out    io.Writer
	colour bool
	last   time.Time
}

func newScreen(out io.Writer) *screen {
	return &screen{out: out, colour: terminal(out) && os.Getenv("NO_COLOR") == "", last: time.Now()}
}

// progressTo is where progress goes: what is printed for programs has standard
// output for itself.
func progressTo(json bool, out, errs io.Writer) io.Writer {
	if json {
		return errs
	}
	return out
}

func terminal(out any) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// line prints a line for people to read.
func (s *screen) line(format string, args ...any) { s.print(fmt.Sprintf(format, args...)) }

// confirm wants a name typed, as what it takes to be sure. The error says that
// it was not.
func (s *screen) confirm(in io.Reader, name, otherwise string) error {
	s.mu.Lock()
	fmt.Fprint(s.out, "Type its name to go on: ")
	s.mu.Unlock()
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read answer: %w", err)
	}
	if strings.TrimSpace(answer) != name {
		s.line("")
		return errors.New(otherwise)
	}
	return nil
}

// table prints rows in columns.
func (s *screen) table(rows [][]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return printTable(s.out, rows)
}

// aside prints what may be read or not: indented, and dim on a terminal.
func (s *screen) aside(text string) {
	for line := range strings.Lines(plain(text)) {
		line = strings.TrimRight(line, "\r\n")
		if s.colour {
			line = "\x1b[2m" + line + "\x1b[0m"
		}
		s.print("          " + line)
	}
}

func (s *screen) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = time.Now()
	fmt.Fprintln(s.out, text)
}

// reassure has something said whenever nothing was printed for a while.
func (s *screen) reassure(ctx context.Context, say func(now time.Time)) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticks.C:
			if s.quiet() >= silence {
				say(now)
			}
		}
	}
}

// quiet returns how long nothing was printed.
func (s *screen) quiet() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.last)
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// plain takes from a text what others wrote to steer a terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, escapes.ReplaceAllString(text, ""))
}
