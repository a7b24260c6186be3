package accesslog

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A line is what encoding/json makes of the record.
func TestLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]*`))
		seconds := rapid.Custom(func(t *rapid.T) Seconds { return Seconds(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "ns")) })
		r := Record{
			Time:    time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC(),
			Request: text.Draw(t, "request"), Client: text.Draw(t, "client"), Key: text.Draw(t, "key"),
			Deployment: text.Draw(t, "deployment"), Instance: text.Draw(t, "instance"), Method: text.Draw(t, "method"),
			Host: text.Draw(t, "host"), Path: text.Draw(t, "path"),
			Status: rapid.Int().Draw(t, "status"), Bytes: rapid.Int64().Draw(t, "bytes"),
			Duration: seconds.Draw(t, "duration"), FirstByte: seconds.Draw(t, "first"), Held: seconds.Draw(t, "held"),
			Cut: rapid.Bool().Draw(t, "cut"),
		}
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendRecord(nil, r)); got != string(want)+"\n" {
			t.Fatalf("%s\nwant %s", got, want)
		}
	})
}
