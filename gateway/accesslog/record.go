package accesslog

import (
	"encoding/json"
	"strconv"
	"time"
)

// Record is what is said of a request.
type Record struct {
	Time       time.Time // it began
	Request    string    // X-Request-Id
	Client     string    // host:port
	Key        string    // id of the key, never the key; "" for none
	Deployment string    // "" if it is unknown to whoever asked
	Instance   string    // address of the one that it was sent to last, "" for none
	Method     string
	Host       string
	Path       string // without the query, which may hold secrets
	Status     int
	Bytes      int64         // of the answer's body
	Duration   time.Duration // to the last byte
	FirstByte  time.Duration // to the header of the answer
	Held       time.Duration // of that, waiting for the deployment
	Cut        bool          // the answer has no end
}

// append writes the record as a line. It is done for each request, and encoding/json
// takes several times as long.
func (r *Record) append(b []byte) []byte {
	b = appendTime(append(b, `{"time":`...), r.Time)
	b = appendText(b, "request_id", r.Request)
	b = appendText(b, "client", r.Client)
	b = appendText(b, "key_id", r.Key)
	b = appendText(b, "deployment", r.Deployment)
	b = appendText(b, "instance", r.Instance)
	b = appendText(b, "method", r.Method)
	b = appendText(b, "host", r.Host)
	b = appendText(b, "path", r.Path)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(r.Status), 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), r.Bytes, 10)
	b = appendSeconds(append(b, `,"duration":`...), r.Duration)
	b = appendSeconds(append(b, `,"first_byte":`...), r.FirstByte)
	if r.Held > 0 {
		b = appendSeconds(append(b, `,"held":`...), r.Held)
	}
	if r.Cut {
		b = append(b, `,"cut":true`...)
	}
	return append(b, "}\n"...)
}

func appendDropped(b []byte, now time.Time, n uint64) []byte {
	b = appendTime(append(b, `{"time":`...), now)
	b = strconv.AppendUint(append(b, `,"dropped":`...), n, 10)
	return append(b, "}\n"...)
}

// appendTime writes a time with microseconds. Package time is quick at RFC 3339
// without them, or with as many digits as there happen to be.
func appendTime(b []byte, t time.Time) []byte {
	b = t.UTC().AppendFormat(append(b, '"'), time.RFC3339)
	b = appendMicros(b[:len(b)-len("Z")], int64(t.Nanosecond()/1000))
	return append(b, `Z"`...)
}

// appendText writes a field unless it is empty.
func appendText(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, ",\""...), name...), "\":"...)
	if !isPlain(value) {
		quoted, _ := json.Marshal(value)
		return append(b, quoted...)
	}
	return append(append(append(b, '"'), value...), '"')
}

// isPlain says whether a text stands for itself in JSON.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendSeconds writes seconds with microseconds.
func appendSeconds(b []byte, d time.Duration) []byte {
	micros := d.Microseconds()
	return appendMicros(strconv.AppendInt(b, micros/1e6, 10), micros%1e6)
}

// appendMicros writes what comes after whole seconds.
func appendMicros(b []byte, micros int64) []byte {
	b = append(b, '.')
	for unit := int64(100_000); unit > 0; unit /= 10 {
		b = append(b, byte('0'+micros/unit%10))
	}
	return b
}
