package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/slipwayhq/slipway/build/appconfig"
)

// baked are the sections of langgraph.json that an image's server is told, by
// the variables that it reads. env is none of them: it is each instance's.
var baked = []struct{ section, variable string }{
	{"store", "LANGGRAPH_STORE"},
	{"auth", "LANGGRAPH_AUTH"},
	{"encryption", "LANGGRAPH_ENCRYPTION"},
	{"priority", "LANGGRAPH_PRIORITY"},
	{"http", "LANGGRAPH_HTTP"},
	{"webhooks", "LANGGRAPH_WEBHOOKS"},
	{"checkpointer", "LANGGRAPH_CHECKPOINTER"},
	{"ui", "LANGGRAPH_UI"},
	{"ui_config", "LANGGRAPH_UI_CONFIG"},
}

// environment adds the variables of the app's configuration.
func (w *writer) environment() error {
	for _, b := range baked {
		raw := w.config.Raw[b.section]
		if len(raw) == 0 || string(raw) == "null" {
			continue
		}
		if err := w.env(b.variable, w.moved(b.section, raw)); err != nil {
			return err
		}
	}
	return w.env(graphsVariable, w.graphs())
}

// graphs are written as they were, but for where a Python graph's file is now.
func (w *writer) graphs() json.RawMessage {
	var specs map[string]json.RawMessage
	json.Unmarshal(w.config.Raw["graphs"], &specs) // was read before
	for _, g := range w.config.Graphs {
		if w.config.Language == appconfig.Python && g.File != "" {
			specs[g.Name] = withPath(specs[g.Name], "path", inImage(g.File, g.Export))
		}
	}
	return marshal(specs)
}

// moved is a section with the place of the file that it names, if it does.
func (w *writer) moved(section string, raw json.RawMessage) json.RawMessage {
	if w.config.Language != appconfig.Python {
		return raw
	}
	for _, use := range w.config.Uses {
		in, key, _ := strings.Cut(use.Place, ".")
		if in == section && use.File != "" && use.Export != "" {
			raw = withPath(raw, key, inImage(use.File, use.Export))
		}
	}
	return raw
}

func inImage(file, export string) string { return path.Join(appDir, file) + ":" + export }

// withPath replaces a string, or one field of an object.
func withPath(raw json.RawMessage, key, value string) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return marshal(value)
	}
	object[key] = marshal(value)
	return marshal(object)
}

func marshal(v any) json.RawMessage {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.Encode(v) // of strings, objects and what was JSON before
	return bytes.TrimSpace(text.Bytes())
}

// env adds a variable with JSON for a value.
func (w *writer) env(name string, value json.RawMessage) error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	w.add(stepFinish, "ENV "+name+"='"+quotable(compact.String())+"'")
	return nil
}

// quotable writes JSON so that single quotes hold it in a Dockerfile: what could
// end them, or the line, is written as JSON's own escapes. A backslash of JSON
// is always followed by one of its escapes, never by a quote.
func quotable(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\'' || r == '$' || r == '`' || r == 0x85 || r == 0x2028 || r == 0x2029:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}
