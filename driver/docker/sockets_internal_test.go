package docker

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
)

// The kernel and its tables say the same of who listens.
func TestSockets(t *testing.T) {
	for address, want := range map[string]bool{
		"0.0.0.0:0": true, "[::]:0": true,
		"127.0.0.1:0": false, "[::1]:0": false, "[::ffff:127.0.0.1]:0": false, // only we ourselves reach them
	} {
		t.Run(address, func(t *testing.T) {
			l, err := net.Listen("tcp", address)
			if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
				t.Skip("this machine has no such address: ", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			port := uint16(l.Addr().(*net.TCPAddr).Port)
			check := func(want bool) {
				t.Helper()
				if got, err := askSockets(os.Getpid(), port); got != want || err != nil {
					t.Errorf("asked: %v, %v, want %v", got, err, want)
				}
				if got := readSockets(os.Getpid(), port); got != want {
					t.Errorf("read: %v, want %v", got, want)
				}
			}
			check(want)
			// A connection is no listener.
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			l.Close()
			check(false)
		})
	}
}

func BenchmarkAskSockets(b *testing.B) {
	for b.Loop() {
		if _, err := askSockets(os.Getpid(), 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadSockets(b *testing.B) {
	for b.Loop() {
		readSockets(os.Getpid(), 1)
	}
}
