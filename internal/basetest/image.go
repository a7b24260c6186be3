package basetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/build/kind/js"
)

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Python makes an image as the vendor's base images are, with the Agent Server,
// and tags it; its interpreter is of version 3.12.
func Python(t testing.TB, engine *client.Client, references ...string) {
	t.Helper()
	prefix, err := findPython()
	check(t, err)
	tar, err := files("python-server", prefix+requirements+serve+apiProject, python(prefix, requirements))
	check(t, err)
	imported(t, engine, tar, references, `ENTRYPOINT ["python3", "/storage/serve.py"]`, "EXPOSE 8000")
}

// PlainPython makes an image of CPython 3.12 and pip alone, and tags it.
func PlainPython(t testing.TB, engine *client.Client, references ...string) {
	t.Helper()
	prefix, err := findPython()
	check(t, err)
	tar, err := files("python-plain", prefix, python(prefix, ""))
	check(t, err)
	imported(t, engine, tar, references, `CMD ["python3"]`)
}

// NodeServer makes an image as the vendor's base images for JavaScript are, with
// the Agent Server that bundles have, and tags it.
func NodeServer(t testing.TB, engine *client.Client, references ...string) {
	t.Helper()
	node, npm, err := findNode()
	check(t, err)
	server, err := js.ServerFiles()
	check(t, err)
	tar, err := files("node-server", node+npm+js.ServerVersion(), nodeServer(node, npm, server))
	check(t, err)
	entry, err := json.Marshal([]string{"/bin/sh", "-c", serveHere})
	check(t, err)
	imported(t, engine, tar, references, "ENTRYPOINT "+string(entry), "EXPOSE 8000")
}

// Node makes an image of this machine's Node and npm, and tags it.
func Node(t testing.TB, engine *client.Client, references ...string) {
	t.Helper()
	node, npm, err := findNode()
	check(t, err)
	version, err := exec.Command(node, "--version").Output()
	check(t, err)
	tar, err := files("node", string(version)+node+npm, nodejs(node, npm))
	check(t, err)
	imported(t, engine, tar, references, `CMD ["node"]`)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// imported makes an image of one layer.
func imported(t testing.TB, engine *client.Client, tar string, references []string, changes ...string) {
	t.Helper()
	for _, variable := range append(environment(), "PATH="+path) {
		changes = append(changes, "ENV "+variable)
	}
	file, err := os.Open(tar)
	check(t, err)
	defer file.Close()
	answer, err := engine.ImageImport(t.Context(), client.ImageImportSource{Source: file, SourceName: "-"}, references[0], client.ImageImportOptions{Changes: changes})
	check(t, err)
	defer answer.Close()
	check(t, ended(answer))
	for _, reference := range references[1:] {
		_, err := engine.ImageTag(t.Context(), client.ImageTagOptions{Source: references[0], Target: reference})
		check(t, err)
	}
}

// ended reads an answer's messages to their end, and returns the error among
// them.
func ended(answer io.Reader) error {
	for messages := json.NewDecoder(answer); ; {
		var m struct{ Error string }
		err := messages.Decode(&m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if m.Error != "" {
			return fmt.Errorf("import an image: %s", m.Error)
		}
	}
}

// environment lets programs reach the registries that this machine reaches.
func environment() []string {
	variables := []string{
		"SSL_CERT_FILE=" + certificates, "PIP_CERT=" + certificates, "REQUESTS_CA_BUNDLE=" + certificates,
		"NODE_EXTRA_CA_CERTS=" + certificates, "PIP_DISABLE_PIP_VERSION_CHECK=1",
	}
	for _, name := range []string{"PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "NPM_CONFIG_REGISTRY"} {
		if value := os.Getenv(name); value != "" && !strings.ContainsAny(value, "\n\"") {
			variables = append(variables, name+"="+value)
		}
	}
	return variables
}
