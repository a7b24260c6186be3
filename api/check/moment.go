package check

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// moment takes a time as ISO 8601 or as seconds or milliseconds since 1970, and
// canonicalises it to RFC 3339 in UTC. One without an offset is UTC.
//
// No published request holds a time. The kinds of faults and their first words
// are pydantic's, what follows them is ours: one reason for every malformed text.
type moment struct{}

func (moment) takes(*value) bool { return false }
func (moment) label() string     { return "datetime" }

func (moment) check(w *walk, v *value) {
	if !w.unicode(v) {
		return
	}
	t, fault := asMoment(v)
	switch fault {
	case "":
		w.out = printText(w.out, t.UTC().Format(time.RFC3339Nano))
	case "datetime_type":
		w.plainFault(fault, v)
	default:
		const reason = "invalid date or time"
		w.fault(fault, "Input should be a valid datetime or date, "+reason, v, ctx("error", quote(reason)))
	}
}

func asMoment(v *value) (t time.Time, fault string) {
	switch v.kind {
	case kindText:
		return readMoment(strings.TrimSpace(v.text))
	case kindInt, kindFloat:
		f, fault := asFloat(v)
		if fault != "" {
			f = math.NaN()
		}
		return sinceEpoch(f)
	default:
		return t, "datetime_type"
	}
}

var isoTime = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[Tt _](\d\d:\d\d)(:\d\d)?([.,]\d{1,9})?\s?([Zz]|[+-]\d\d(?::?\d\d)?)?$`)

func readMoment(s string) (t time.Time, fault string) {
	const malformed = "datetime_from_date_parsing"
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return sinceEpoch(f)
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, ""
	}
	m := isoTime.FindStringSubmatch(s)
	if m == nil {
		return t, malformed
	}
	seconds := m[3]
	if seconds == "" {
		seconds = ":00"
	}
	t, err := time.Parse(time.RFC3339Nano, m[1]+"T"+m[2]+seconds+strings.Replace(m[4], ",", ".", 1)+offset(m[5]))
	if err != nil || !printableYear(t) {
		return t, malformed
	}
	return t, ""
}

// offset writes an offset from UTC as RFC 3339 has it.
func offset(s string) string {
	switch digits := strings.ReplaceAll(s, ":", ""); len(digits) {
	case 0, 1:
		return "Z"
	case 3:
		return digits + ":00"
	default:
		return digits[:3] + ":" + digits[3:]
	}
}

// secondsAtMost is where numbers stop to mean seconds: beyond are milliseconds.
const secondsAtMost = 2e10

func sinceEpoch(f float64) (t time.Time, fault string) {
	if math.Abs(f) > secondsAtMost {
		f /= 1000
	}
	if math.IsNaN(f) || math.Abs(f) > 1e12 {
		return t, "datetime_parsing"
	}
	whole, fraction := math.Modf(f)
	t = time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1000)
	if !printableYear(t) {
		return t, "datetime_parsing"
	}
	return t, ""
}

// printableYear says whether RFC 3339 can say the year in UTC.
func printableYear(t time.Time) bool {
	year := t.UTC().Year()
	return year >= 1 && year <= 9999
}
