package image

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/slipwayhq/slipway/build/appconfig"
	"github.com/slipwayhq/slipway/build/internal/failure"

	"github.com/slipwayhq/slipway"
)

// Bases are the images that apps' are built on. Without a tag or digest, one is
// chosen by what the app says of its language, as the vendor's images are named.
type Bases struct{ Python, Node string }

// DefaultBases are the vendor's.
func DefaultBases() Bases {
	return Bases{Python: "langchain/langgraph-api", Node: "langchain/langgraphjs-api"}
}

// base is an image that an app's is built on.
type base struct {
	reference string // as it was asked for
	pinned    string // the same, by digest: repository@sha256:… or, known to no registry, sha256:…
	digest    string // hex
	from      string // what FROM says to have it
	serves    bool   // it brings an agent server and starts it
}

const (
	defaultPython = "3.11"
	// labelServer of a base image tells what its name does not: "true", it
	// brings an agent server, or "false".
	labelServer = "slipway.agent-server"
)

// vendors tells the images that bring a server by their names, wherever they are
// mirrored.
var vendors = regexp.MustCompile(`(^|/)langgraph(js)?-(api|server)[^/]*$`)

func serves(reference string, labels map[string]string) bool {
	if said, err := strconv.ParseBool(labels[labelServer]); err == nil {
		return said
	}
	return vendors.MatchString(withoutTag(reference))
}

func withoutTag(reference string) string {
	reference, _, _ = strings.Cut(reference, "@")
	if i := strings.LastIndex(reference, ":"); i > strings.LastIndex(reference, "/") {
		return reference[:i]
	}
	return reference
}

// reference of the base that an app is built on: its own or ours, with the tag
// that the vendor's client would choose, unless it has one.
func (b Bases) reference(c appconfig.Config) (string, error) {
	reference, language, version := b.Python, "py", ""
	if c.Language != appconfig.Python {
		reference, language, version = b.Node, "node", strconv.Itoa(c.Node)
	} else if version = defaultPython; c.Python.Minor > 0 {
		version = fmt.Sprintf("3.%d", c.Python.Minor)
	}
	own, err := text(c, "base_image")
	if err != nil {
		return "", err
	}
	if own != "" {
		reference = own
	}
	distro, err := text(c, "image_distro")
	if err != nil {
		return "", err
	}
	if distro != "" && distro != "debian" {
		version += "-" + distro
	}
	api, err := text(c, "api_version")
	if err != nil {
		return "", err
	}
	switch tagged := withoutTag(reference) != reference; {
	case tagged && strings.Contains(reference, "/langgraph-server:") && !strings.Contains(reference, version):
		reference += "-" + language + version
	case tagged:
	case api != "":
		reference += ":" + api + "-" + language + version
	default:
		reference += ":" + version
	}
	if slipway.CheckImage(reference) != nil {
		return "", failure.New("config", "base_image_invalid", "%s: the base image %q is no reference to an image.", c.Path, reference)
	}
	return reference, nil
}

// text is a key of the configuration that is a word.
func text(c appconfig.Config, key string) (string, error) {
	raw := c.Raw[key]
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var value string
	if json.Unmarshal(raw, &value) != nil || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", failure.New("config", "config_invalid", "%s: %q is %s, which is not a word.", c.Path, key, raw)
	}
	return value, nil
}
