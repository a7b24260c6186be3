package accesslog

import (
	"encoding/json"
	"strconv"
	"time"
)

// appendRecord appends the line of a record, as [json.Marshal] makes it but for
// what that spends on finding out how.
func appendRecord(b []byte, r Record) []byte {
	b = append(b, `{"time":"`...)
	b = r.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, '"')
	b = appendText(b, "request_id", r.Request, true)
	b = appendText(b, "client", r.Client, true)
	b = appendText(b, "key_id", r.Key, false)
	b = appendText(b, "deployment", r.Deployment, false)
	b = appendText(b, "instance", r.Instance, false)
	b = appendText(b, "method", r.Method, true)
	b = appendText(b, "host", r.Host, true)
	b = appendText(b, "path", r.Path, true)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(r.Status), 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), r.Bytes, 10)
	b = appendSeconds(append(b, `,"duration":`...), r.Duration)
	b = appendSeconds(append(b, `,"first_byte":`...), r.FirstByte)
	if r.Held != 0 {
		b = appendSeconds(append(b, `,"held":`...), r.Held)
	}
	if r.Cut {
		b = append(b, `,"cut":true`...)
	}
	return append(b, "}\n"...)
}

func appendSeconds(b []byte, s Seconds) []byte {
	return strconv.AppendFloat(b, time.Duration(s).Seconds(), 'f', 6, 64)
}

// appendText appends a member; one that is empty only if that is told.
func appendText(b []byte, name, text string, empty bool) []byte {
	if text == "" && !empty {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	if !isPlain(text) {
		line, _ := json.Marshal(text)
		return append(b, line...)
	}
	return append(append(append(b, '"'), text...), '"')
}

// isPlain says whether a text stands in JSON as it is.
func isPlain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}
