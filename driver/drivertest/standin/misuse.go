package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

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

func spin(_ http.ResponseWriter, r *http.Request) {
	long, _ := time.ParseDuration(r.FormValue("for"))
	for end := processorTime() + long; processorTime() < end; {
	}
}

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
