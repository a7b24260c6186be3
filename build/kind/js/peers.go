package js

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/Masterminds/semver/v3"
)

// The server takes these from the app, so that both use one copy.
var shared = []string{"@langchain/core", "@langchain/langgraph"}

// warnOfPeers says in the log when the app's versions are not those that the
// server was made for. It may work all the same: the start decides.
func warnOfPeers(app installed, server string, log io.Writer) {
	version := app.version
	if version == nil { // nothing was installed
		version = func(string) string { return "" }
	}
	if _, listed := app.deps[serverPackage]; listed && version(serverPackage) != "" {
		fmt.Fprintf(log, "The app lists %s itself: its own %s is used\n", serverPackage, version(serverPackage))
		return
	}
	ranges := peerRanges(server)
	for _, name := range slices.Sorted(maps.Keys(ranges)) {
		if !slices.Contains(shared, name) {
			continue
		}
		if text := mismatch(name, version(name), ranges[name]); text != "" {
			fmt.Fprintf(log, "Warning: %s\n", text)
		}
	}
}

func peerRanges(server string) map[string]string {
	var manifest struct{ PeerDependencies map[string]string }
	content, err := os.ReadFile(filepath.Join(server, modulesName, serverPackage, manifestName))
	if err == nil {
		json.Unmarshal(content, &manifest)
	}
	return manifest.PeerDependencies
}

// mismatch says what is wrong with a version, "" if nothing is. A range that
// can not be read says nothing; as with npm, one that names no pre-release
// takes none.
func mismatch(name, version, wanted string) string {
	if version == "" {
		return fmt.Sprintf("the app does not install %s, which its graphs need", name)
	}
	v, err := semver.NewVersion(version)
	if err != nil {
		return ""
	}
	c, err := semver.NewConstraint(wanted)
	if err != nil || c.Check(v) {
		return ""
	}
	return fmt.Sprintf("the app installs %s %s; the server is made for %s", name, version, wanted)
}
