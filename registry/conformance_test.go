package registry_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The OCI's own suite, against a registry of ours. What is switched off here is
// what docs/registry.md says that this registry does not do.
func TestOCIConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the suite of another module")
	}
	s := open(t)
	p, other := s.pusher(mine, "conformance/one"), s.pusher(mine, "conformance/two")
	results := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile="+filepath.Join("..", "tools", "ociconformance.mod"), "conformance")
	cmd.Env = append(os.Environ(),
		"OCI_RESULTS_DIR="+results, "OCI_VERSION=1.1", "OCI_TLS=disabled",
		"OCI_REGISTRY="+strings.TrimPrefix(s.url, "http://"), "OCI_USERNAME=oauth2accesstoken", "OCI_PASSWORD="+p.token,
		"OCI_REPO1="+p.repository, "OCI_REPO2="+other.repository,
		"OCI_API_BLOBS_DIGEST_HEADER=true", "OCI_API_MANIFESTS_DIGEST_HEADER=true", "OCI_API_BLOBS_UPLOAD_CANCEL=true",
		"OCI_API_REFERRER=false", "OCI_DATA_SUBJECT=false", "OCI_DATA_SUBJECT_LIST=false", "OCI_DATA_SUBJECT_MISSING=false", "OCI_DATA_SHA512=false",
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// It ends well, too, when it could not begin.
	passed := regexp.MustCompile(`Pass\.+: +(\d{3,})\n`).FindSubmatch(out)
	if passed == nil {
		t.Fatalf("it ran no tests: %s", out)
	}
	t.Logf("%s passed", passed[1])
}
