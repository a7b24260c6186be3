package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway/internal/address/addresstest"
)

// shut listens, and lets nobody in: who connects waits there, one at most.
func shut() error {
	name, err := addresstest.Short(os.Getenv("SLIPWAY_SOCKET"))
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: name})
	}
	if err == nil {
		err = unix.Listen(fd, 0)
	}
	return err
}

func read(w http.ResponseWriter, r *http.Request) {
	path := r.FormValue("path")
	entries, err := os.ReadDir(path)
	if err == nil {
		for _, entry := range entries {
			fmt.Fprintln(w, entry.Name())
		}
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	w.Write(text)
}

func write(w http.ResponseWriter, r *http.Request) {
	if err := os.WriteFile(r.FormValue("path"), []byte("written"), 0o644); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
	}
}

func reach(w http.ResponseWriter, r *http.Request) {
	agents := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		name, err := addresstest.Short(r.FormValue("path"))
		if err != nil {
			return nil, err
		}
		return net.Dial("unix", name)
	}}}
	answer, err := agents.Get("http://localhost/ok")
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	defer answer.Body.Close()
	io.Copy(w, answer.Body)
}

// talk sends a text to an address and answers with all that comes back.
func talk(w http.ResponseWriter, r *http.Request) {
	conn, err := net.DialTimeout("tcp", r.FormValue("address"), 5*time.Second)
	if err == nil {
		defer conn.Close()
		_, err = io.WriteString(conn, r.FormValue("text"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	io.Copy(w, conn)
}

func spin(_ http.ResponseWriter, r *http.Request) {
	long, _ := time.ParseDuration(r.FormValue("for"))
	for begun := processorTime(); processorTime()-begun < long; {
	}
}

// processorTime is what the process has used: on a busy machine time passes faster.
func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// lineSize is that of a line of a flood, with its end.
const lineSize = 64

func flood(_ http.ResponseWriter, r *http.Request) {
	total, _ := strconv.ParseInt(r.FormValue("bytes"), 10, 64)
	var lines bytes.Buffer
	for at := int64(0); at < total; at += lineSize {
		number := strconv.FormatInt(at, 10)
		lines.WriteString(number + strings.Repeat(".", lineSize-1-len(number)) + "\n")
		if lines.Len() >= 1<<20 || at+lineSize >= total {
			os.Stdout.Write(lines.Bytes())
			lines.Reset()
		}
	}
}

func fill(w http.ResponseWriter, r *http.Request) {
	total, _ := strconv.ParseInt(r.FormValue("bytes"), 10, 64)
	f, err := os.Create("filled")
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	defer f.Close()
	block := bytes.Repeat([]byte{1}, 1<<20)
	for n := int64(0); n < total && err == nil; n += int64(len(block)) {
		_, err = f.Write(block)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInsufficientStorage)
	}
}

func breed(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	made := 0
	for range n {
		if exec.Command(os.Args[0], "-child").Start() == nil {
			made++
		}
	}
	fmt.Fprint(w, made)
}
