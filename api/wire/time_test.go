package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/slipwayhq/slipway/api/wire"
)

func TestTimePrintsSixDigitsInUTC(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	for _, c := range []struct {
		in   time.Time
		want string
	}{
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), `"2026-01-02T03:04:05.000000Z"`},
		{time.Date(2026, 1, 2, 3, 4, 5, 123456789, zone), `"2026-01-02T01:04:05.123456Z"`},
	} {
		got, err := json.Marshal(wire.NewTime(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("%v: got %s (%v), want %s", c.in, got, err, c.want)
		}
	}
}

func TestTimeReadsItsOwnText(t *testing.T) {
	want := wire.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC))
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got wire.Time
	if err := json.Unmarshal(raw, &got); err != nil || !got.Equal(want.Time) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
	if err := json.Unmarshal([]byte(`"yesterday"`), &got); err == nil {
		t.Error("a text that is no time was read")
	}
}
