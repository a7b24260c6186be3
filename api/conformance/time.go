package conformance

import "time"

// isoTime is a log line's timestamp as a client sends it back: epoch
// milliseconds become ISO text, as the vendor's client does; text stays.
func isoTime(timestamp any) any {
	if ms, ok := timestamp.(float64); ok {
		return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02T15:04:05.000000-07:00")
	}
	return timestamp
}
