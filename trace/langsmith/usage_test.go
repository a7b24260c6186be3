package langsmith_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// counted are the tokens that an answer tells: in all, in and out.
func (o *office) counted(path string) string {
	o.t.Helper()
	got := o.ask("w", "GET", path, "")
	var said struct {
		Total      *int `json:"total_tokens"`
		Prompt     *int `json:"prompt_tokens"`
		Completion *int `json:"completion_tokens"`
	}
	if err := json.Unmarshal([]byte(strings.Trim(got.body, "[]\n")), &said); err != nil || got.status != http.StatusOK {
		o.t.Fatalf("%s: %d %s", path, got.status, got.body)
	}
	if said.Total == nil {
		return "none"
	}
	return fmt.Sprint(*said.Total, *said.Prompt, *said.Completion)
}

// Tokens are found where SDKs tell them, of whatever form that is.
func TestTokens(t *testing.T) {
	for name, c := range map[string]struct{ kind, outputs, extra, want string }{
		"of a traced call":       {"llm", `{"usage_metadata": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}`, `{}`, "7 3 4"},
		"in the metadata":        {"llm", `{}`, `{"metadata": {"usage_metadata": {"input_tokens": 3, "output_tokens": 4}}}`, "7 3 4"},
		"in both":                {"llm", `{"usage_metadata": {"input_tokens": 3}}`, `{"metadata": {"usage_metadata": {"input_tokens": 5}}}`, "3 3 0"},
		"of LangChain":           {"llm", `{"generations": [[{"message": {"kwargs": {"usage_metadata": {"input_tokens": 3, "output_tokens": 4}}}}, {}], [{"message": {"kwargs": {"usage_metadata": {"output_tokens": 1}}}}], []]}`, `{}`, "8 3 5"},
		"of an older LangChain":  {"llm", `{"generations": [[{"text": "x"}]], "llm_output": {"token_usage": {"prompt_tokens": 3, "completion_tokens": 4}}}`, `{}`, "7 3 4"},
		"of OpenAI":              {"llm", `{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}`, `{}`, "7 3 4"},
		"of an embedding":        {"embedding", `{"usage": {"total_tokens": 9}}`, `{}`, "9 9 0"},
		"of another kind of run": {"chain", `{"usage_metadata": {"input_tokens": 3}}`, `{}`, "none"},
		"no numbers":             {"llm", `{"usage_metadata": {"input_tokens": "many", "output_tokens": 4}}`, `{}`, "4 0 4"},
		"absurd numbers":         {"llm", `{"usage_metadata": {"input_tokens": -3, "output_tokens": 1e300}}`, `{}`, "1000000000000 0 1000000000000"},
		"no object":              {"llm", `"usage"`, `["usage"]`, "none"},
		"null":                   {"llm", `{"usage_metadata": null, "generations": null, "llm_output": null}`, `{"metadata": {"usage_metadata": null}}`, "none"},
		"an odd form":            {"llm", `{"generations": "usage", "usage_metadata": {"input_tokens": 3}}`, `{}`, "3 3 0"},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			o.send("w", part{"post." + rootID, "", run(`{"run_type": "` + c.kind + `"}`)}, part{"post." + rootID + ".extra", "", c.extra}, part{"patch." + rootID + ".outputs", "", c.outputs}).expect(t, http.StatusAccepted, "")
			if got := o.counted("/runs/" + rootID); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// A trace and its project have the tokens of all models in them.
func TestTokensOfATrace(t *testing.T) {
	o := open(t)
	usage := `{"usage_metadata": {"input_tokens": 3, "output_tokens": 4}}`
	o.send("w",
		part{"post." + rootID, "", run("")}, part{"patch." + rootID + ".outputs", "", usage},
		part{"post." + childID, "", run(`{"id": "` + childID + `", "parent_run_id": "` + rootID + `", "dotted_order": "` + below + `", "run_type": "llm"}`)},
		part{"patch." + childID + ".outputs", "", usage},
	).expect(t, http.StatusAccepted, "")
	for _, path := range []string{"/runs/" + rootID, "/runs/" + childID, "/sessions/" + o.read("w", rootID).Project, "/sessions?name=p", "/api/v2/runs/" + rootID + "?selects=TOTAL_TOKENS&selects=PROMPT_TOKENS&selects=COMPLETION_TOKENS"} {
		if got := o.counted(path); got != "7 3 4" {
			t.Errorf("%s: %s, want 7 3 4", path, got)
		}
	}
}
