package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// upstreamCommand makes this binary the agent that gateways stand before.
const upstreamCommand = "serve-upstream"

// Paths of the upstream, below what a gateway takes off.
const (
	answerPath = "/threads/answer" // at once, 200 bytes
	eventsPath = "/threads/events" // one each eventGap, each with the time of its sending
	idlePath   = "/threads/idle"   // one event, then none
)

const (
	events   = 100
	eventGap = 10 * time.Millisecond
)

// serveUpstream speaks as little HTTP as it needs to: what is measured is in
// front of it.
func serveUpstream(args []string) error {
	flags := flag.NewFlagSet(upstreamCommand, flag.ExitOnError)
	listen := flags.String("listen", "", "address")
	flags.String("data", "", "unused")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			_ = converse(c)
		}()
	}
}

var smallAnswer = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n%s", strings.Repeat("x", 200))

// converse answers the requests of a connection, one after the other.
func converse(c net.Conn) error {
	r := bufio.NewReaderSize(c, 2<<10)
	for {
		path, err := readRequest(r)
		if err != nil {
			return err
		}
		switch {
		case strings.HasSuffix(path, eventsPath):
			err = sendEvents(c, events)
		case strings.HasSuffix(path, idlePath):
			err = sendIdle(c)
		default:
			_, err = c.Write(smallAnswer)
		}
		if err != nil {
			return err
		}
	}
}

// readRequest reads a request to its end and returns its path.
func readRequest(r *bufio.Reader) (path string, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	if fields := bytes.Fields(line); len(fields) == 3 {
		path = string(fields[1])
	}
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return "", err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return "", err
			}
		}
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return path, err
}

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n"

func sendEvents(c net.Conn, n int) error {
	if _, err := io.WriteString(c, streamHead); err != nil {
		return err
	}
	next := time.Now()
	for range n {
		time.Sleep(time.Until(next))
		next = next.Add(eventGap)
		if err := sendEvent(c); err != nil {
			return err
		}
	}
	_, err := io.WriteString(c, "0\r\n\r\n")
	return err
}

// sendEvent writes one with the time.
func sendEvent(c net.Conn) error {
	event := fmt.Sprintf("data: %d\n\n", time.Now().UnixNano())
	_, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(event), event)
	return err
}

func sendIdle(c net.Conn) error {
	if _, err := io.WriteString(c, streamHead); err != nil {
		return err
	}
	if err := sendEvent(c); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1)) // until the other side leaves
	return err
}
