package langsmith

import (
	"bytes"
	"encoding/json"

	"github.com/slipwayhq/slipway/trace"
)

// maxTokens bounds what one run may tell, so that sums stay sums.
const maxTokens = 1e12

// toldUsage is what a model has used, in the words of LangSmith or those of OpenAI.
type toldUsage struct {
	Input      float64 `json:"input_tokens"`
	Output     float64 `json:"output_tokens"`
	Prompt     float64 `json:"prompt_tokens"`
	Completion float64 `json:"completion_tokens"`
	Total      float64 `json:"total_tokens"`
}

// usage of what is told. Where only the sum is, all of it went in.
func (u *toldUsage) usage() trace.Usage {
	if u == nil {
		return trace.Usage{}
	}
	count := func(told ...float64) int64 { return int64(min(max(0, max(told[0], told[1])), maxTokens)) }
	is := trace.Usage{Prompt: count(u.Input, u.Prompt), Completion: count(u.Output, u.Completion)}
	if is.Total() == 0 {
		is.Prompt = count(u.Total, 0)
	}
	return is
}

// toldOutputs are the places in a run's outputs, or the metadata of its extra,
// where SDKs have the usage: by itself, in what LangChain's models give back, or as
// OpenAI's API answers.
type toldOutputs struct {
	Metadata    *toldUsage `json:"usage_metadata"`
	OpenAI      *toldUsage `json:"usage"`
	Generations [][]struct {
		Message struct {
			Kwargs struct {
				Metadata *toldUsage `json:"usage_metadata"`
			} `json:"kwargs"`
		} `json:"message"`
	} `json:"generations"`
	Model struct {
		Usage *toldUsage `json:"token_usage"`
	} `json:"llm_output"`
}

func (o *toldOutputs) usage() trace.Usage {
	var generated trace.Usage
	for _, prompt := range o.Generations {
		if len(prompt) > 0 { // those of one prompt all tell the same
			u := prompt[0].Message.Kwargs.Metadata.usage()
			generated.Prompt, generated.Completion = generated.Prompt+u.Prompt, generated.Completion+u.Completion
		}
	}
	for _, u := range []trace.Usage{o.Metadata.usage(), generated, o.Model.Usage.usage(), o.OpenAI.usage()} {
		if u.Total() > 0 {
			return u
		}
	}
	return trace.Usage{}
}

// usageOf is what a run's values tell of its model's usage. Values that lie in
// blobs are not looked into.
func usageOf(r *trace.Run) trace.Usage {
	var outputs toldOutputs
	if readUsage(r.Outputs, &outputs); outputs.usage().Total() > 0 {
		return outputs.usage()
	}
	var extra struct{ Metadata toldOutputs }
	readUsage(r.Extra, &extra)
	return extra.Metadata.usage()
}

// readUsage reads nothing of values that tell none, which are most, nor of large
// ones. What is of another form there tells none.
func readUsage(c trace.Content, into any) {
	if len(c.Inline) <= largeValue && bytes.Contains(c.Inline, []byte(`usage`)) {
		_ = json.Unmarshal(c.Inline, into)
	}
}
