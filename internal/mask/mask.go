// Package mask keeps secrets out of what people read.
//
// A Masker knows values, and finds them as they are and as programs tend to
// write them: escaped for JSON or for an address, in base64 or hexadecimal. It
// also knows how credentials look, whatever their value: those of an address,
// and those that npm's and pip's settings and HTTP's headers hold.
package mask

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Shortest value that is masked: of a shorter one the text would tell more by
// its holes than it hides.
const Shortest = 6

// Shown is what stands in a value's place.
const Shown = "***"

// Masker masks the values that were added so far. The zero value, and nil, know
// how credentials look. It is safe for use by several at once.
type Masker struct {
	mu       sync.RWMutex
	forms    map[string]bool
	replacer *strings.Replacer
	longest  int
}

// New masks some values.
func New(values ...string) *Masker {
	m := new(Masker)
	m.Add(values...)
	return m
}

// Add masks more values. Of one with several lines each is masked too: a log
// knows only lines.
func (m *Masker) Add(values ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.forms == nil {
		m.forms = map[string]bool{}
	}
	for _, value := range values {
		m.add(value)
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") { // of a key, the frame
				m.add(line)
			}
		}
	}
	m.compile()
}

func (m *Masker) add(value string) {
	if len(value) < Shortest {
		return
	}
	for _, form := range forms(value) {
		if len(form) >= Shortest {
			m.forms[form] = true
		}
	}
}

// compile has the longest win where several begin at one place.
func (m *Masker) compile() {
	longestFirst := func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) }
	var pairs []string
	for form := range m.forms {
		pairs = append(pairs, form)
	}
	slices.SortFunc(pairs, longestFirst)
	m.replacer, m.longest = nil, 0
	if len(pairs) == 0 {
		return
	}
	m.longest = len(pairs[0])
	table := make([]string, 0, 2*len(pairs))
	for _, form := range pairs {
		table = append(table, form, Shown)
	}
	m.replacer = strings.NewReplacer(table...)
}

// Longest is the length in bytes of the longest text that is looked for.
func (m *Masker) Longest() int {
	if m == nil {
		return 0
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.longest
}

// String masks a text.
func (m *Masker) String(text string) string {
	if m != nil {
		m.mu.RLock()
		replacer := m.replacer
		m.mu.RUnlock()
		if replacer != nil {
			text = replacer.Replace(text)
		}
	}
	return credentials(text)
}

// forms of a value.
func forms(value string) []string {
	quoted, _ := json.Marshal(value)
	all := []string{
		value, strings.Trim(string(quoted), `"`), url.QueryEscape(value), url.PathEscape(value),
		url.UserPassword("", value).String()[1:], hex.EncodeToString([]byte(value)),
	}
	return append(all, inBase64(value)...)
}

// inBase64 is a value in base64, wherever it begins in what was encoded: three
// bytes make four characters, so there are three ways, and the characters at
// the ends depend on the neighbours too.
func inBase64(value string) []string {
	var all []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := encoding.EncodeToString([]byte(strings.Repeat("\x00", before) + value))
			first := (before*8 + 5) / 6
			last := (before + len(value)) * 8 / 6
			all = append(all, text[first:last])
		}
		all = append(all, encoding.EncodeToString([]byte(value)))
	}
	return all
}
