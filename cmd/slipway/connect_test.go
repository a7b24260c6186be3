package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A key on disk is for a server on this machine, unless its folder was named.
func TestKeyOnDisk(t *testing.T) {
	named := t.TempDir()
	if err := os.WriteFile(filepath.Join(named, keyFile), []byte("named\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		c    connection
		here string // content of ./.slipway/admin.key
		want string // or a part of the error
		err  string
	}{
		{"here", connection{}, "key\n", "key", ""},
		{"on localhost", connection{url: "http://localhost:1"}, "key", "key", ""},
		{"on another machine", connection{url: "https://slipway.example.com"}, "key", "", "no key for slipway.example.com"},
		{"on another machine, but named", connection{url: "https://slipway.example.com", data: named}, "key", "named", ""},
		{"named", connection{data: named}, "key", "named", ""},
		{"nowhere", connection{}, "", "", "--api-key or SLIPWAY_API_KEY"},
		{"empty", connection{}, " \n", "", "is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if tt.here != "" {
				if err := os.Mkdir(defaultData, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(defaultData, keyFile), []byte(tt.here), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			host := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSuffix(first(tt.c.url, defaultURL), ":1"), "http://"), "https://")
			got, err := tt.c.keyOnDisk(strings.TrimSuffix(host, ":8124"))
			if got != tt.want || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestFolderName(t *testing.T) {
	for dir, want := range map[string]string{
		"/a/echo-js": "echo-js", "/a/My App_2": "my-app-2", "/a/--x--": "x", "/": "", "/a/2fast": "2fast",
		"/a/" + strings.Repeat("x", 62) + "_y": strings.Repeat("x", 62),
	} {
		if got := folderName(dir); got != want {
			t.Errorf("%s: got %q, want %q", dir, got, want)
		}
	}
}
