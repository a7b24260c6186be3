package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// proxyCommand makes this binary a bare ReverseProxy.
const proxyCommand = "serve-bare-proxy"

// openFiles is how many a gateway needs, two for each stream and some.
const openFiles = 20_000

// serveProxy is what everyone writes who knows httputil.ReverseProxy well. It
// checks nobody, counts nothing and logs nothing.
func serveProxy(args []string) error {
	flags := flag.NewFlagSet(proxyCommand, flag.ExitOnError)
	listen := flags.String("listen", "", "address")
	to := flags.String("upstream", "", "address")
	flags.String("data", "", "unused")
	if err := flags.Parse(args); err != nil {
		return err
	}
	target := &url.URL{Scheme: "http", Host: *to}
	pool := &buffers{sync.Pool{New: func() any { return make([]byte, 32<<10) }}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		Transport: &http.Transport{
			DisableCompression: true, MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute,
		},
		BufferPool: pool,
	}
	// Without these two a server is not to be let near strangers; ours has them.
	s := &http.Server{Addr: *listen, Handler: proxy, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	return s.ListenAndServe()
}

type buffers struct{ sync.Pool }

func (b *buffers) Get() []byte       { return b.Pool.Get().([]byte) }
func (b *buffers) Put(buffer []byte) { b.Pool.Put(buffer) } //nolint:staticcheck // as everyone does it

// front is a gateway at work before the upstream.
type front struct {
	*server
	name   string
	prefix string // of the upstream's paths
	header [2]string
}

// opener starts a front of its own.
type opener struct {
	name string
	open func(ctx context.Context, l *lab, upstream string) (*front, error)
}

// openers are who is measured; those that are not here are told of.
var openers = []opener{
	{"Slipway", openOurs},
	{"ReverseProxy", openBareProxy},
	{"Caddy", openCaddy},
	{"nginx", openNginx},
}

// openOurs is a server with one deployment whose instance is the upstream, and
// all that a server has on: keys, counts, access log.
func openOurs(ctx context.Context, l *lab, upstream string) (*front, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	data, err := l.folder("data")
	if err != nil {
		return nil, err
	}
	s, _, err := l.server(ctx, data, self, serveCommand, "-upstream", upstream, "-profiles", l.profiles)
	if err != nil {
		return nil, err
	}
	app, err := standInApp()
	if err != nil {
		return nil, err
	}
	d, err := s.create(ctx, "agent", app)
	if err != nil {
		return nil, err
	}
	if _, err := d.deploy(ctx, lookStandIn); err != nil {
		return nil, err
	}
	return &front{s, "Slipway", "/d/agent", [2]string{"X-Api-Key", s.key}}, nil
}

func openBareProxy(ctx context.Context, l *lab, upstream string) (*front, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s, err := l.plain(ctx, self, proxyCommand, "-upstream", upstream)
	return &front{server: s, name: "ReverseProxy"}, err
}

// plain starts a server that takes a folder and an address as ours does.
func (l *lab) plain(ctx context.Context, program string, args ...string) (*server, error) {
	data, err := l.folder("front")
	if err != nil {
		return nil, err
	}
	s, _, err := l.start(ctx, data, answerPath, program, args...)
	return s, err
}

// configured starts a server by a file of configuration, written by the caller,
// which needs an address first.
func (l *lab) configured(ctx context.Context, config string, fill func(data, address string) string, argv func(file string) []string) (*server, error) {
	data, err := l.folder("front")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(data, config)
	if err := os.WriteFile(file, []byte(fill(data, address)), 0o600); err != nil {
		return nil, err
	}
	args := argv(file)
	s := &server{url: "http://" + address, data: data, log: data + ".log", ended: make(chan struct{})}
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Env = append(os.Environ(), "HOME="+data, "XDG_DATA_HOME="+data, "XDG_CONFIG_HOME="+data)
	return s, l.launch(ctx, s, answerPath)
}

// caddyfile logs requests to a file, as ours does.
const caddyfile = `{
	admin off
	auto_https off
	persist_config off
}
http://%[2]s {
	bind 127.0.0.1
	log {
		output file %[1]s/access.log
	}
	reverse_proxy %[3]s {
		flush_interval -1
		transport http {
			keepalive_idle_conns_per_host 256
			compression off
		}
	}
}
`

func openCaddy(ctx context.Context, l *lab, upstream string) (*front, error) {
	program, err := caddyProgram(ctx)
	if err != nil {
		return nil, err
	}
	s, err := l.configured(ctx, "Caddyfile",
		func(data, address string) string { return fmt.Sprintf(caddyfile, data, address, upstream) },
		func(file string) []string {
			return []string{program, "run", "--adapter", "caddyfile", "--config", file}
		})
	return &front{server: s, name: "Caddy"}, err
}

// caddyProgram builds Caddy from its module, or finds it in Go's cache.
func caddyProgram(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "-modfile="+filepath.Join("..", "tools", "caddy.mod"), "-n", "caddy")
	var said bytes.Buffer
	cmd.Stderr = &said
	path, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build Caddy: %w\n%s", err, said.String())
	}
	return strings.TrimSpace(string(path)), nil
}

// nginxConf has as many workers as there are cores, kept connections, and no
// buffers between an agent and its client.
const nginxConf = `
daemon off;
worker_processes auto;
worker_rlimit_nofile %[4]d;
pid %[1]s/nginx.pid;
error_log stderr warn;
events { worker_connections 15000; }
http {
	access_log %[1]s/access.log combined buffer=64k flush=1s;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	keepalive_requests 1000000000;
	upstream agent {
		server %[3]s;
		keepalive 256;
		keepalive_requests 1000000000;
	}
	server {
		listen %[2]s;
		location / {
			proxy_pass http://agent;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
			proxy_set_header X-Forwarded-For $remote_addr;
			proxy_buffering off;
			proxy_read_timeout 1h;
		}
	}
}
`

func openNginx(ctx context.Context, l *lab, upstream string) (*front, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(program); err != nil {
		return nil, errors.New("nginx is not there: scripts/prepare-bench installs it")
	}
	s, err := l.configured(ctx, "nginx.conf",
		func(data, address string) string {
			return fmt.Sprintf(nginxConf, data, address, upstream, openFiles)
		},
		func(file string) []string { return []string{program, "-c", file, "-p", filepath.Dir(file)} })
	return &front{server: s, name: "nginx"}, err
}

// family is a process and its children.
func family(pid int) []int {
	all := []int{pid}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, path := range tasks {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for child := range strings.FieldsSeq(string(text)) {
			var n int
			if _, err := fmt.Sscan(child, &n); err == nil {
				all = append(all, family(n)...)
			}
		}
	}
	return all
}

// cpu is what a server and its children have used so far.
func (s *server) cpu() (all time.Duration, err error) {
	for _, p := range family(s.pid()) {
		one, err := cpuTime(p)
		if err != nil {
			return 0, err
		}
		all += one
	}
	return all, nil
}

// rss is the memory of a process and its children.
func rss(pid int) (bytes int64, err error) {
	for _, p := range family(pid) {
		one, err := resident(p)
		if err != nil {
			return 0, err
		}
		bytes += one
	}
	return bytes, nil
}

// allowFiles raises the limit of open files as far as it goes: of this process,
// and of its children.
func allowFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Max < openFiles {
		return fmt.Errorf("%d files may be open, and %d are needed: raise it with ulimit -n", limit.Max, openFiles)
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
