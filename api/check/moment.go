package check

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// moment takes a time as ISO 8601 or as a number since 1970, of seconds or where that is too large of milliseconds,
// and canonicalises it to RFC 3339 in UTC. One without an offset is UTC.
type moment struct{}

func (moment) takes(*value) bool { return false }
func (moment) label() string     { return "datetime" }

func (moment) check(w *walk, v *value) {
	if !w.unicode(v) {
		return
	}
	t, kind, reason := asMoment(v)
	if year := t.Year(); kind == "" && (year < 1 || year > 9999) {
		kind, reason = momentFault, fmt.Sprintf("year %d is out of range", year)
	}
	switch kind {
	case "":
		w.out = printText(w.out, t.Format(time.RFC3339Nano))
	case momentFault:
		w.fault(kind, "Input should be a valid datetime, "+reason, v, ctx("error", quote(reason)))
	case dateFault:
		w.fault(kind, "Input should be a valid datetime or date, "+reason, v, ctx("error", quote(reason)))
	default:
		w.plainFault(kind, v)
	}
}

const (
	momentFault = "datetime_parsing"
	dateFault   = "datetime_from_date_parsing" // the text is no datetime, and no date for this reason
)

// asMoment returns a time in UTC, or a kind of fault with its reason.
func asMoment(v *value) (t time.Time, kind, reason string) {
	switch v.kind {
	case kindText:
		t, reason = readMoment(v.text)
		kind = dateFault
	case kindInt:
		f, _ := strconv.ParseFloat(v.text, 64) // infinite where it is too large
		t, reason = sinceEpoch(f)
		kind = momentFault
	case kindFloat:
		t, reason = sinceEpoch(v.num)
		kind = momentFault
	default:
		return t, "datetime_type", ""
	}
	if reason == "" {
		kind = ""
	}
	return t, kind, reason
}

var (
	plainNumber = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)$`)
	isoTime     = regexp.MustCompile(`^[Tt _](\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,6})\d*)?([Zz]|[+−-]\d\d:?\d\d)?$`)
)

var offsetSpelling = strings.NewReplacer(":", "", "z", "Z", "−", "-")

const afterDate = "unexpected extra characters at the end of the input"

// readMoment tells of a text that is no time what keeps it from being a date.
func readMoment(s string) (t time.Time, reason string) {
	if f, ok := readNumber(s); ok {
		return sinceEpoch(f)
	}
	if reason := faultOfDate(s); reason != "" {
		return t, reason
	}
	clock, ok := readClock(s[10:])
	if !ok {
		return t, afterDate
	}
	t, err := time.Parse("2006-01-02T15:04:05.999999Z0700", s[:10]+clock)
	if err != nil {
		return t, afterDate
	}
	return t.UTC(), ""
}

// readNumber takes what fits 64 bits; longer ones are not taken for numbers.
func readNumber(s string) (f float64, ok bool) {
	if !plainNumber.MatchString(s) {
		return 0, false
	}
	if !strings.Contains(s, ".") {
		_, err := strconv.ParseInt(s, 10, 64)
		ok = err == nil
		f, _ = strconv.ParseFloat(s, 64)
		return f, ok
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// readClock returns the part after the date with its offset in one spelling.
func readClock(s string) (clock string, ok bool) {
	if s == "" {
		return "T00:00:00Z", true
	}
	m := isoTime.FindStringSubmatch(s)
	if m == nil || m[2] == "" && m[3] != "" {
		return "", false
	}
	seconds, offset := m[2], offsetSpelling.Replace(m[4])
	if seconds == "" {
		seconds = ":00"
	}
	if m[3] != "" {
		seconds += "." + m[3]
	}
	if offset == "" {
		offset = "Z"
	}
	return "T" + m[1] + seconds + offset, offset == "Z" || offset[1:3] < "24" && offset[3:] < "60"
}

// faultOfDate says what keeps a text from beginning with a date, from left to right.
func faultOfDate(s string) string {
	if len(s) < 10 {
		return "input is too short"
	}
	switch {
	case !allDigits(s[:4]):
		return "invalid character in year"
	case s[4] != '-':
		return "invalid date separator, expected `-`"
	case !allDigits(s[5:7]):
		return "invalid character in month"
	case s[7] != '-':
		return "invalid date separator, expected `-`"
	case !allDigits(s[8:10]):
		return "invalid character in day"
	case s[5:7] < "01" || s[5:7] > "12":
		return "month value is outside expected range of 1-12"
	}
	if _, err := time.Parse(time.DateOnly, s[:10]); err != nil {
		return "day value is outside expected range"
	}
	return ""
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// secondsAtMost is where numbers stop to mean seconds: beyond are milliseconds.
const secondsAtMost = 2e10

var (
	firstSecond = float64(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
	endOfTime   = float64(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).Unix())
)

func sinceEpoch(f float64) (t time.Time, reason string) {
	perSecond := 1.0
	if math.Abs(f) > secondsAtMost {
		perSecond = 1000
	}
	switch {
	case math.IsNaN(f):
		return t, "NaN values not permitted"
	case f >= endOfTime*perSecond:
		return t, "dates after 9999 are not supported as unix timestamps"
	case f < firstSecond*perSecond:
		return t, "dates before 0000 are not supported as unix timestamps"
	}
	whole, fraction := math.Modf(f)
	micros := 1e6 / perSecond
	return time.UnixMicro(int64(whole)*int64(micros) + int64(math.Round(fraction*micros))).UTC(), ""
}
