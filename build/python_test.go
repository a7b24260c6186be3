package build_test

import (
	"strings"
	"testing"
	"time"
)

func TestPythonExample(t *testing.T) {
	b := realBuilder(t)
	files := folder(t, "../examples/echo-py")
	first, _, _ := timed(t, b, request(t, files))
	if first.Kind != "langgraph-py" || first.Runtime["python"] == "" || !strings.HasPrefix(first.Runtime["server"], "langgraph-api ") || first.Runtime["lock"] == "" || first.Runtime["uv"] == "" {
		t.Errorf("artefact %+v", first)
	}
	serve(t, b, first, "echo")

	files["graph.py"] += "\n# one more line\n"
	changed, log, took := timed(t, b, request(t, files))
	if changed.Digest == first.Digest || !strings.Contains(log, "dependencies are unchanged") || changed.Runtime["lock"] != first.Runtime["lock"] {
		t.Errorf("after a change of a line: %+v, with the log\n%s", changed, log)
	}
	if took > 2*time.Second {
		t.Errorf("a change of a line takes %v", took)
	}
}
