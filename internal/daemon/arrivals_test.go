package daemon_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// Who has come in before a server stops is answered, though he asks afterwards.
func TestWhoHasComeInIsAnswered(t *testing.T) {
	s, err := daemon.Start(t.Context(), config(t.TempDir()))
	must(t, err)
	at := strings.TrimPrefix(s.URL(), "http://")
	early, err := net.Dial("tcp", at)
	must(t, err)
	defer early.Close()
	later, err := http.Get(s.URL() + "/healthz") // they are let in one after the other
	must(t, err)
	later.Body.Close()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop() }()
	testsignal.Until(t, "nobody to be let in", func() bool {
		c, err := net.Dial("tcp", at)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	_, err = fmt.Fprintf(early, "GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
	must(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(early), nil)
	if err != nil || answer.StatusCode != http.StatusOK || !answer.Close {
		t.Errorf("answer %+v, %v", answer, err)
	}
	must(t, testsignal.Receive(t, "its end", stopped))
}
