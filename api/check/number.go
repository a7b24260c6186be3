package check

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// laxInt reads an integer as pydantic does from a text: space around, a sign, single underscores between digits, and
// a fraction of zeros pass. It returns canonical digits, or the type of the fault.
func laxInt(s string) (digits, fault string) {
	s = strings.TrimSpace(s)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	if whole, zeros, found := strings.Cut(s, "."); found {
		if zeros == "" || strings.Trim(zeros, "0") != "" {
			return "", "int_parsing"
		}
		s = whole
	}
	s, ok := ungroup(s)
	if !ok || strings.Trim(s, "0123456789") != "" {
		return "", "int_parsing"
	}
	return signed(strings.TrimLeft(s, "0"), negative)
}

func signed(s string, negative bool) (digits, fault string) {
	switch {
	case len(s) > maxDigits:
		return "", "int_parsing_size"
	case s == "":
		return "0", ""
	case negative:
		return "-" + s, ""
	default:
		return s, ""
	}
}

// ungroup drops single underscores between characters; it refuses an empty text and any other underscore.
func ungroup(s string) (string, bool) {
	if s == "" || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") {
		return "", false
	}
	return strings.ReplaceAll(s, "_", ""), true
}

// laxFloat reads a float as pydantic does from a text.
func laxFloat(s string) (float64, bool) {
	s, ok := ungroup(strings.TrimSpace(s))
	if !ok {
		return 0, false
	}
	name := strings.ToLower(strings.TrimLeft(s, "+-"))
	if name != "inf" && name != "infinity" && name != "nan" && strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, false
	}
	if name == "nan" { // strconv takes no sign here
		return math.NaN(), len(s) <= len("+nan")
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || math.IsInf(f, 0)
}

// whole says whether f is an integer that pydantic takes for one.
func whole(f float64) bool {
	return f == math.Trunc(f) && f > math.MinInt64 && f < math.MaxInt64
}

// intBelow says whether the integer, of any size, is below the bound.
func intBelow(digits string, bound float64) bool { return compareInt(digits, bound) < 0 }

func intAbove(digits string, bound float64) bool { return compareInt(digits, bound) > 0 }

func compareInt(digits string, bound float64) int {
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		return cmp.Compare(float64(n), bound)
	}
	if strings.HasPrefix(digits, "-") {
		return -1
	}
	return 1
}

// hold64 prints an integer within 64 bits.
func hold64(out []byte, digits string) []byte {
	n, _ := strconv.ParseInt(digits, 10, 64) // beyond the range it is the nearest
	return strconv.AppendInt(out, n, 10)
}

// holdFloat prints a float that JSON can say.
func holdFloat(out []byte, f float64) []byte {
	if math.IsInf(f, 0) {
		f = math.Copysign(math.MaxFloat64, f)
	}
	return printFloat(out, f)
}

// plainFloat prints a float without an exponent, as messages do.
func plainFloat(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
