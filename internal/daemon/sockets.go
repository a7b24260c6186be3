package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"

	"github.com/slipwayhq/slipway/internal/systemd"
)

// asked is a door that a flag asks for at an address; with "" it does not.
type asked struct {
	door          **door
	address, flag string
}

// openSockets takes the sockets that were opened before this server, and opens
// the others. It says first what nobody asks for: that may have the address of
// what can not be opened.
func (s *Server) openSockets(ctx context.Context) (err error) {
	if err := s.config.checkNames(); err != nil {
		return err
	}
	all := slices.DeleteFunc([]asked{
		{&s.doors.main, s.config.Listen, "listen"},
		{&s.doors.agents, s.config.Agents.Listen, "gateway-listen"},
		{&s.doors.plain, s.config.TLS.PlainListen, "http-listen"},
		{&s.doors.scrapes, s.config.Scrapes, "metrics-listen"},
	}, func(a asked) bool { return a.address == "" })
	given := slices.Clone(s.config.Sockets)
	for _, a := range all {
		if i := slices.IndexFunc(given, a.isMet); i >= 0 {
			*a.door = s.newDoor(given[i])
			given = slices.Delete(given, i, i+1)
		}
	}
	for _, socket := range given {
		return fmt.Errorf("systemd opened a socket at %s (%s) that no flag asks for: give the same address by --listen, --gateway-listen, --http-listen or --metrics-listen, "+
			"or the flag's name by FileDescriptorName=", socket.Addr(), socket.Name)
	}
	for _, a := range all {
		if *a.door != nil {
			continue
		}
		if *a.door, err = s.openDoor(ctx, a.address, a.flag); err != nil {
			return err
		}
	}
	return nil
}

// isMet says whether a socket is the one that is asked for: by the flag's name
// or, named otherwise, by its address.
func (a asked) isMet(given systemd.Socket) bool {
	if given.Name == a.flag {
		return true
	}
	want, err := net.ResolveTCPAddr("tcp", a.address)
	if err != nil {
		return false
	}
	at := given.Addr().(*net.TCPAddr)
	everywhere := (want.IP == nil || want.IP.IsUnspecified()) && at.IP.IsUnspecified()
	return at.Port == want.Port && (everywhere || at.IP.Equal(want.IP))
}

func (s *Server) openDoor(ctx context.Context, address, flag string) (*door, error) {
	socket, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another address with --%s", address, err, flag)
	}
	return s.newDoor(socket), nil
}

func (s *Server) newDoor(socket net.Listener) *door {
	return &door{Listener: socket, served: make(chan struct{}), http: &http.Server{
		ReadHeaderTimeout: headerWithin, IdleTimeout: idleFor,
		ErrorLog: slog.NewLogLogger(handshakes{s.config.Logger.Handler()}, slog.LevelWarn),
	}}
}
