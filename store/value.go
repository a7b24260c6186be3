package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// micros is a time as it is stored, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// null is a text that is NULL while it is not set.
func null[S ~string](s S) sql.NullString {
	return sql.NullString{String: string(s), Valid: s != ""}
}

var likeEscapes = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// pattern is what LIKE … ESCAPE '!' finds s with anywhere, NULL for "".
func pattern(s string) sql.NullString {
	return sql.NullString{String: "%" + likeEscapes.Replace(s) + "%", Valid: s != ""}
}

// encode writes a record as JSON text. Records consist of text, numbers and
// maps of them, for which that can not fail.
func encode(record any) string {
	b, err := json.Marshal(record)
	if err != nil {
		panic(fmt.Sprintf("store: encode %T: %v", record, err))
	}
	return string(b)
}

// decode reads a record, the zero one from "".
func decode[R any](s string) (R, error) {
	var r R
	if s == "" {
		return r, nil
	}
	err := json.Unmarshal([]byte(s), &r)
	return r, err
}
