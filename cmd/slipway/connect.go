package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/client"
)

const (
	defaultListen = "127.0.0.1:8124"
	defaultURL    = "http://" + defaultListen
	defaultData   = ".slipway"
	keyFile       = "admin.key" // within the data folder
)

// connection is which server a verb speaks to, and with what key.
type connection struct{ url, key, data string }

func (c *connection) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.url, "url", "", "the server (SLIPWAY_URL; "+defaultURL+" unless set)")
	flags.StringVar(&c.key, "api-key", "", "the key (SLIPWAY_API_KEY; for a server on this machine, the one in its data folder)")
	flags.StringVar(&c.data, "data", "", "data folder of a server on this machine, to read its key from (./"+defaultData+" unless set)")
}

// client returns a client, or says what it lacks.
func (c *connection) client() (*client.Client, error) {
	address, key, err := c.resolve()
	if err != nil {
		return nil, err
	}
	return client.New(address, key), nil
}

// resolve finds the server's address and a key for it.
func (c *connection) resolve() (address, key string, err error) {
	address = first(c.url, os.Getenv("SLIPWAY_URL"), defaultURL)
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return "", "", usagef("%q is no address of a server: it must look like %s", address, defaultURL)
	}
	if key = first(c.key, os.Getenv("SLIPWAY_API_KEY")); key == "" {
		key, err = c.keyOnDisk(parsed.Hostname())
	}
	return address, key, err
}

// keyOnDisk reads the key of a server on this machine. It is not shown to
// another machine unless its folder was named.
func (c *connection) keyOnDisk(host string) (string, error) {
	if c.data == "" && !loopback(host) {
		return "", usagef("no key for %s: give one by --api-key or SLIPWAY_API_KEY", host)
	}
	path := filepath.Join(first(c.data, defaultData), keyFile)
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", usagef("no key: there is no %s here; give a key by --api-key or SLIPWAY_API_KEY, or the server's data folder by --data", path)
	}
	return key, err
}

func readKey(path string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read key: %w", err)
	}
	key := strings.TrimSpace(string(raw))
	if key == "" {
		return "", fmt.Errorf("read key: %s is empty", path)
	}
	return key, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
