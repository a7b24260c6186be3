package control_test

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/driver/internal/control"
)

func TestAsk(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		want   control.Answer
		err    string
	}{
		"how it stands":    {`{"state": "standing by"}` + "\n", control.Answer{State: control.StandingBy}, ""},
		"a field of later": {`{"state": "yielded", "more": []}` + "\nnext", control.Answer{State: control.Yielded}, ""},
		"refused":          {`{"error": "unknown: state"}` + "\n", control.Answer{Error: "unknown: state"}, "unknown: state"},
		"nobody":           {" \n", control.Answer{}, control.ErrNobody.Error()},
		"no word":          {"", control.Answer{}, "EOF"},
		"half a word":      {`{"state": "standing`, control.Answer{}, "EOF"},
		"no JSON":          {"Traceback\n", control.Answer{}, "invalid character"},
		"no end":           {strings.Repeat("x", 1<<20), control.Answer{}, "does not end"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked strings.Builder
			got, err := control.Ask(&asked, bufio.NewReader(strings.NewReader(c.answer)), control.State)
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %+v, %v", got, err)
			}
			if nobody := errors.Is(err, control.ErrNobody); nobody != (name == "nobody") || asked.String() != `{"do": "state"}`+"\n" {
				t.Errorf("nobody: %t; asked %s", nobody, &asked)
			}
		})
	}
}

func TestRuns(t *testing.T) {
	a, err := control.Ask(&strings.Builder{}, bufio.NewReader(strings.NewReader(`{"pending": 1, "running": 2, "oldest_ms": 30, "workers": 4, "shared": true}`+"\n")), control.Runs)
	want := slipway.Runs{Pending: 1, Running: 2, Oldest: 30 * time.Millisecond, Workers: 4, Shared: true}
	if err != nil || a.Runs() != want {
		t.Errorf("got %+v, %v", a.Runs(), err)
	}
}
