package toolchain

import (
	"bufio"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// defaultIndex is pip's and uv's own default.
const defaultIndex = "https://pypi.org/simple"

// Index is where Python packages come from.
type Index struct {
	URL     string
	Extra   []string // searched too
	Trusted []string // hosts whose certificate is not looked at
	Links   []string // folders and pages of files
	Cert    string   // file of authorities to trust, "" for the usual ones
}

// Indexes reads what uv and pip are told on this machine, by variables and by
// pip's files, and over that the file of an app, unless it is "".
func Indexes(app string) (Index, error) {
	machine, own := map[string]string{}, map[string]string{}
	for _, file := range pipFiles() {
		if err := readPipFile(file, machine); err != nil {
			return Index{}, err
		}
	}
	if app != "" {
		if err := readPipFile(app, own); err != nil {
			return Index{}, err
		}
	}
	get := func(key string, names ...string) string {
		value := own[key]
		for _, name := range names {
			value = cmp.Or(value, os.Getenv(name))
		}
		return cmp.Or(value, machine[key])
	}
	return Index{
		URL:     cmp.Or(get("index-url", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"), defaultIndex),
		Extra:   strings.Fields(get("extra-index-url", "UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL")),
		Trusted: strings.Fields(get("trusted-host", "UV_INSECURE_HOST", "PIP_TRUSTED_HOST")),
		Links:   strings.Fields(get("find-links", "UV_FIND_LINKS", "PIP_FIND_LINKS")),
		Cert:    get("cert", "SSL_CERT_FILE", "PIP_CERT"),
	}, nil
}

// pipFiles are pip's own, the weakest first.
func pipFiles() []string {
	files := []string{"/etc/pip.conf"}
	if config, err := os.UserConfigDir(); err == nil {
		files = append(files, filepath.Join(config, "pip", "pip.conf"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".pip", "pip.conf"))
	}
	if file := os.Getenv("PIP_CONFIG_FILE"); file != "" {
		files = append(files, file)
	}
	return files
}

// readPipFile reads the settings of [global] and [install]. A value may go on in
// indented lines.
func readPipFile(name string, settings map[string]string) error {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	section, key := "", ""
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		text := strings.TrimSpace(line)
		switch {
		case text == "" || text[0] == '#' || text[0] == ';':
		case text[0] == '[':
			section, key = strings.Trim(text, "[]"), ""
		case section != "global" && section != "install":
		case line[0] == ' ' || line[0] == '\t':
			if key != "" {
				settings[key] = strings.TrimSpace(settings[key] + " " + text)
			}
		default:
			name, value, _ := strings.Cut(text, "=")
			key = strings.ReplaceAll(strings.TrimSpace(name), "_", "-")
			settings[key] = strings.TrimSpace(value)
		}
	}
	return lines.Err()
}

// Environment for uv and pip, which read different variables.
func (i Index) Environment() []string {
	env := []string{"UV_DEFAULT_INDEX=" + i.URL, "PIP_INDEX_URL=" + i.URL}
	for _, v := range []struct {
		uv, pip string
		values  []string
	}{
		{"UV_INDEX", "PIP_EXTRA_INDEX_URL", i.Extra},
		{"UV_INSECURE_HOST", "PIP_TRUSTED_HOST", i.Trusted},
		{"UV_FIND_LINKS", "PIP_FIND_LINKS", existing(i.Links)},
	} {
		if len(v.values) > 0 {
			env = append(env, v.uv+"="+strings.Join(v.values, " "), v.pip+"="+strings.Join(v.values, " "))
		}
	}
	if i.Cert != "" {
		env = append(env, "SSL_CERT_FILE="+i.Cert, "PIP_CERT="+i.Cert)
	}
	return env
}

// existing leaves out folders that are not there, which uv refuses.
func existing(links []string) []string {
	var there []string
	for _, link := range links {
		if _, err := os.Stat(link); err == nil || strings.Contains(link, "://") {
			there = append(there, link)
		}
	}
	return there
}

// Usual says whether packages come from PyPI alone.
func (i Index) Usual() bool { return i.URL == defaultIndex && len(i.Extra) == 0 }
