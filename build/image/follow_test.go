package image

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

func stream(messages ...map[string]any) string {
	var out bytes.Buffer
	for _, m := range messages {
		json.NewEncoder(&out).Encode(m)
	}
	return out.String()
}

// traced is a message of BuildKit's.
func traced(parts ...[]byte) map[string]any {
	return map[string]any{"id": traceID, "aux": base64.StdEncoding.EncodeToString(bytes.Join(parts, nil))}
}

func vertexPart(digest, name string, more ...[]byte) []byte {
	message := append(bytesField(vertexDigest, []byte(digest)), bytesField(vertexName, []byte(name))...)
	return bytesField(statusVertex, append(message, bytes.Join(more, nil)...))
}

func logPart(digest, text string) []byte {
	return bytesField(statusLog, append(bytesField(logVertex, []byte(digest)), bytesField(logMessage, []byte(text))...))
}

var started = bytesField(vertexStarted, varintField(1, 1))

func TestFollow(t *testing.T) {
	said := func(text string) map[string]any { return map[string]any{"stream": text} }
	cases := map[string]struct {
		answer string
		log    string
		image  string
		step   string
		last   string
	}{
		"the classic builder": {
			answer: stream(
				said("Step 1/2 : FROM base"), said("\n"), said(" ---> 0123\n"), said("Step 2/2 : RUN make"), said("\n"),
				said(" ---> Running in 0123\n"), said("on"), said("e\n\x1b[91mtwo\n\x1b[0m"), said("10%\r20%\rthree\n"),
				said("Removing intermediate container 0123\n"), said(" ---> 4567\n"), map[string]any{"aux": map[string]any{"ID": "sha256:89"}},
			),
			log:   "Step 1/2 : FROM base|Step 2/2 : RUN make|one|two|three",
			image: "sha256:89", step: "RUN make", last: "one|two|three",
		},
		"BuildKit": {
			answer: stream(
				traced(vertexPart("i", "[internal] load", started)),
				traced(vertexPart("a", "[1/2] FROM base", started, varintField(vertexCached, 1)), vertexPart("b", "[2/2] RUN make")),
				traced(vertexPart("b", "[2/2] RUN make", started)), traced(logPart("b", "one\ntw"), logPart("b", "o\n")),
				map[string]any{"id": imageID, "aux": map[string]any{"ID": "sha256:89"}},
			),
			log:   "[1/2] FROM base (unchanged)|[2/2] RUN make|one|two",
			image: "sha256:89", step: "[2/2] RUN make", last: "one|two",
		},
		"two steps at once, of which one fails": {
			answer: stream(
				traced(vertexPart("a", "RUN a", started)), traced(vertexPart("b", "RUN b", started)),
				traced(logPart("a", "of a\n")), traced(logPart("b", "of b\n")),
				traced(vertexPart("a", "RUN a", started, bytesField(vertexError, []byte("exit code: 1")))),
			),
			log: "RUN a|RUN b|of a|of b", step: "RUN a", last: "of a",
		},
		"a line without end": {
			answer: stream(said("Step 1/1 : RUN make"), said(strings.Repeat("x", maxLine+3))),
			log:    "Step 1/1 : RUN make|" + strings.Repeat("x", maxLine),
			step:   "RUN make", last: strings.Repeat("x", maxLine),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			o, err := follow(t.Context(), strings.NewReader(c.answer), &log)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(strings.TrimSpace(log.String()), "\n", "|"); got != c.log {
				t.Errorf("log %.400q", got)
			}
			if last := strings.Join(o.said.last, "|"); o.image != c.image || o.said.step != c.step || last != c.last {
				t.Errorf("image %q, step %q, last %.400q", o.image, o.said.step, last)
			}
		})
	}
}

func TestFollowRefuses(t *testing.T) {
	for name, answer := range map[string]string{
		"cut":              `{"stream": "St`,
		"no base64":        stream(map[string]any{"id": traceID, "aux": "%"}),
		"a cut message":    stream(traced([]byte{statusVertex<<3 | wireBytes, 200})),
		"an unknown type":  stream(traced([]byte{statusVertex<<3 | 7})),
		"a cut number":     stream(traced([]byte{0x80})),
		"a cut long field": stream(traced([]byte{statusVertex<<3 | wire64, 1})),
	} {
		if _, err := follow(t.Context(), strings.NewReader(answer), &bytes.Buffer{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzFields(f *testing.F) {
	f.Add(vertexPart("a", "RUN a", started))
	f.Fuzz(func(t *testing.T, message []byte) {
		size := 0
		if err := fields(message, func(_ int, _ uint64, bytes []byte) error { size += len(bytes); return nil }); err == nil && size > len(message) {
			t.Errorf("%d bytes of %d", size, len(message))
		}
	})
}

// What commands print when they fail, and what is made of it.
func TestExplain(t *testing.T) {
	r := &recipe{steps: []step{{stepBase, "FROM base"}, {stepLines, "RUN make \\\n all"}, {stepInstall, "RUN npm ci"}}}
	cases := map[string]struct {
		step, printed, message string
		code, of               string
		exit                   int
	}{
		"pip, no such package":  {"RUN npm ci", "ERROR: No matching distribution found for nope==1", "returned a non-zero code: 1", "dependency_not_found", stepInstall, 1},
		"uv, no such package":   {"RUN npm ci", "  × No solution found when resolving dependencies:\n  ╰─▶ Because nope was not found in the package registry and you require nope", "exit code: 1", "dependency_not_found", stepInstall, 1},
		"uv, no such version":   {"RUN npm ci", "  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of six==99 and you require six==99", "exit code: 1", "dependency_not_found", stepInstall, 1},
		"uv, a conflict":        {"RUN npm ci", "  × No solution found when resolving dependencies:\n  ╰─▶ Because a==1 depends on b==1", "exit code: 1", "dependency_conflict", stepInstall, 1},
		"npm, no such version":  {"RUN npm ci", "npm error code ETARGET", "exit code: 1", "dependency_not_found", stepInstall, 1},
		"npm, a conflict":       {"RUN npm ci", "npm error code ERESOLVE", "exit code: 1", "dependency_conflict", stepInstall, 1},
		"npm, an old lock":      {"RUN npm ci", "npm error code EUSAGE", "exit code: 1", "lock_refused", stepInstall, 1},
		"npm, no network":       {"RUN npm ci", "npm error code EAI_AGAIN", "exit code: 1", "registry_unreachable", stepInstall, 1},
		"npm, no credentials":   {"RUN npm ci", "npm error code E401", "exit code: 1", "registry_denied", stepInstall, 1},
		"a full disk":           {"RUN npm ci", "OSError: [Errno 28] No space left on device", "exit code: 1", "disk_full", stepInstall, 1},
		"killed":                {"RUN npm ci", "", "exit code: 137", "out_of_memory", stepInstall, 137},
		"the app's own line":    {"RUN make  all", "make: no rule", "exit code: 2", "build_failed", stepLines, 2},
		"anything else":         {"RUN npm ci", "boom", "exit code: 3", "install_failed", stepInstall, 3},
		"no command":            {"COPY a b", "", "COPY failed: no such file", "build_failed", stepBuild, -1},
		"a digest does not fit": {"RUN npm ci", "THESE PACKAGES DO NOT MATCH THE HASHES", "exit code: 1", "integrity_mismatch", stepInstall, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			message := map[string]any{"errorDetail": map[string]any{"message": c.message}}
			o, err := follow(t.Context(), strings.NewReader(stream(
				map[string]any{"stream": "Step 1/1 : " + c.step}, map[string]any{"stream": "\n" + c.printed + "\n"}, message)), &bytes.Buffer{})
			if err != nil {
				t.Fatal(err)
			}
			f := r.explain(o)
			exit := -1
			if f.Exit != nil {
				exit = *f.Exit
			}
			if f.Code != c.code || f.Step != c.of || exit != c.exit {
				t.Errorf("got %s at %s, exit %d: %s", f.Code, f.Step, exit, f.Message)
			}
			if last := c.printed; last != "" && !strings.Contains(f.Message, strings.TrimSpace(last)) {
				t.Errorf("message %q", f.Message)
			}
		})
	}
}
