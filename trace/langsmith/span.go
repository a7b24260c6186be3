package langsmith

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

// addSpan adds the run of a span. The run of a trace's first span has the trace's
// identity, as everywhere here; the others have one of their span's and the
// trace's.
func (in *intake) addSpan(s *tracepb.Span, resource attributes, project string, roots map[trace.ID]bool) {
	run := in.add(trace.Post, trace.ID{})
	if len(s.GetTraceId()) != 16 || len(s.GetSpanId()) != 8 {
		run.fail(slipway.Errorf(slipway.CodeInvalid, "Span %.100q has no identity: traceId has 16 bytes, spanId 8.", s.GetName()))
		return
	}
	r := &run.Run
	r.Trace = trace.ID(s.GetTraceId())
	if isRoot(s) {
		r.ID = r.Trace
	} else {
		r.ID, r.Parent = spanRun(s.GetTraceId(), s.GetSpanId()), spanRun(s.GetTraceId(), s.GetParentSpanId())
		if roots[r.Parent] {
			r.Parent = r.Trace
		}
	}
	a := attributesOf(s.GetAttributes())
	run.projectName, run.projectID = a.text("langsmith.trace.session_name"), slipway.ProjectID(a.text("langsmith.trace.session_id"))
	if run.projectName == "" {
		run.projectName = project
	}
	r.Name, r.Type = a.text("langsmith.trace.name"), a.runType()
	if r.Name == "" {
		r.Name = s.GetName()
	}
	r.Start, r.End = nanos(s.GetStartTimeUnixNano()), nanos(s.GetEndTimeUnixNano())
	r.Tags = a.tags()
	r.Inputs, r.Outputs = a.content("input", inputKeys, "gen_ai.prompt."), a.content("output", outputKeys, "gen_ai.completion.")
	r.Events, r.Error = eventsOf(s)
	r.Extra = a.extra(resource)
}

func nanos(n uint64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(n)).UTC().Truncate(time.Microsecond)
}

// isRoot says whether a span is the first of its trace. Those of LangSmith's own
// exporter hang below a span that there never is, which it makes of the trace.
func isRoot(s *tracepb.Span) bool {
	parent := s.GetParentSpanId()
	return len(bytes.Trim(parent, "\x00")) == 0 || len(s.GetTraceId()) == 16 && bytes.Equal(parent, s.GetTraceId()[:8])
}

// spanRun is the identity of a span's run.
func spanRun(traceID, spanID []byte) (id trace.ID) {
	if len(traceID) == 16 && len(spanID) == 8 {
		copy(id[:], spanID)
		copy(id[8:], traceID[8:])
	}
	return id
}

// attributes are those of a span that have not been used for anything yet.
type attributes map[string]any

func attributesOf(list []*commonpb.KeyValue) attributes {
	a := attributes{}
	for _, kv := range list {
		a[kv.GetKey()] = plainValue(kv.GetValue())
	}
	return a
}

func plainValue(v *commonpb.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_DoubleValue:
		if math.IsNaN(v.DoubleValue) || math.IsInf(v.DoubleValue, 0) { // which JSON has not
			return fmt.Sprint(v.DoubleValue)
		}
		return v.DoubleValue
	case *commonpb.AnyValue_BytesValue:
		return v.BytesValue
	case *commonpb.AnyValue_ArrayValue:
		list := []any{}
		for _, one := range v.ArrayValue.GetValues() {
			list = append(list, plainValue(one))
		}
		return list
	case *commonpb.AnyValue_KvlistValue:
		return attributesOf(v.KvlistValue.GetValues())
	}
	return nil
}

// text takes an attribute that is a text.
func (a attributes) text(key string) string {
	text, _ := a[key].(string)
	delete(a, key)
	return text
}

// kinds are the types of runs that other conventions have names for.
var kinds = map[string]string{
	"chat": "llm", "text_completion": "llm", "generate_content": "llm", "embeddings": "embedding",
	"execute_tool": "tool", "invoke_agent": "chain", "create_agent": "chain", "retrieval": "retriever",
	"workflow": "chain", "task": "chain", "agent": "chain", "reranker": "retriever", "guardrail": "chain", "evaluator": "chain",
}

func (a attributes) runType() string {
	for _, key := range []string{"langsmith.span.kind", "openinference.span.kind", "traceloop.span.kind", "gen_ai.operation.name"} {
		if text, ok := a[key].(string); ok && text != "" {
			text = strings.ToLower(text)
			if known, ok := kinds[text]; ok {
				return known
			}
			return text
		}
	}
	return "chain"
}

func (a attributes) tags() (tags []string) {
	switch v := a["langsmith.span.tags"].(type) {
	case string:
		for tag := range strings.SplitSeq(v, ",") {
			tags = append(tags, strings.TrimSpace(tag))
		}
	case []any:
		for _, tag := range v {
			tags = append(tags, fmt.Sprint(tag))
		}
	}
	delete(a, "langsmith.span.tags")
	return slices.DeleteFunc(tags, func(t string) bool { return t == "" })
}

// inputKeys and outputKeys are where conventions have what went in and came out,
// the best one first.
var (
	inputKeys  = []string{"gen_ai.prompt", "gen_ai.input.messages", "input.value", "traceloop.entity.input", "gen_ai.tool.call.arguments"}
	outputKeys = []string{"gen_ai.completion", "gen_ai.output.messages", "output.value", "traceloop.entity.output", "gen_ai.tool.call.result"}
)

// content takes what went in or came out: an object as it is, anything else as
// the member of one, messages that are spread over attributes as a list.
func (a attributes) content(member string, keys []string, spread string) trace.Content {
	var found any
	for _, key := range keys {
		if v, ok := a[key]; ok && found == nil {
			found = v
		}
		delete(a, key)
	}
	if found == nil {
		if messages := a.messages(spread); len(messages) > 0 {
			found = map[string]any{"messages": messages}
		}
	}
	if found == nil {
		return trace.Content{}
	}
	if text, ok := found.(string); ok && json.Valid([]byte(text)) {
		found = json.RawMessage(text)
	}
	text, err := json.Marshal(found)
	if err != nil {
		return trace.Content{}
	}
	if text[0] != '{' {
		text, _ = json.Marshal(map[string]json.RawMessage{member: text})
	}
	return trace.Inline(text)
}

// messages takes attributes such as gen_ai.prompt.0.content.
func (a attributes) messages(prefix string) []map[string]any {
	byNumber := map[int]map[string]any{}
	for key, v := range a {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			continue
		}
		number, name, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(number)
		if err != nil || name == "" {
			continue
		}
		if byNumber[n] == nil {
			byNumber[n] = map[string]any{}
		}
		byNumber[n][name] = v
		delete(a, key)
	}
	var messages []map[string]any
	for _, n := range slices.Sorted(maps.Keys(byNumber)) {
		messages = append(messages, byNumber[n])
	}
	return messages
}

// extra is what is left, as metadata under the names that LangSmith has for it.
func (a attributes) extra(resource attributes) trace.Content {
	metadata := map[string]any{}
	for key, v := range resource {
		if key == "service.name" {
			metadata[key] = v
		}
	}
	for key, v := range a {
		name, _ := strings.CutPrefix(key, "langsmith.metadata.")
		metadata[name] = v
	}
	for _, c := range []struct{ from, to string }{{"gen_ai.system", "ls_provider"}, {"gen_ai.provider.name", "ls_provider"}, {"gen_ai.request.model", "ls_model_name"}} {
		if v, ok := a[c.from]; ok {
			metadata[c.to] = v
		}
	}
	usage := map[string]any{}
	for _, c := range []struct{ from, to string }{{"gen_ai.usage.input_tokens", "input_tokens"}, {"gen_ai.usage.output_tokens", "output_tokens"}, {"gen_ai.usage.total_tokens", "total_tokens"}} {
		if v, ok := a[c.from]; ok {
			usage[c.to] = v
		}
	}
	if len(usage) > 0 {
		metadata["usage_metadata"] = usage
	}
	text, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return trace.Content{}
	}
	return trace.Inline(text)
}

// eventsOf are a span's events, and what failed: the message of its status, or of
// its exception.
func eventsOf(s *tracepb.Span) (trace.Content, string) {
	type event struct {
		Name   string     `json:"name"`
		Time   string     `json:"time"`
		Kwargs attributes `json:"kwargs"`
	}
	var events []event
	exception := ""
	for _, e := range s.GetEvents() {
		a := attributesOf(e.GetAttributes())
		if e.GetName() == "exception" {
			exception = strings.TrimSpace(fmt.Sprintf("%v: %v\n\n%v", orNone(a["exception.type"]), orNone(a["exception.message"]), orNone(a["exception.stacktrace"])))
		}
		events = append(events, event{e.GetName(), written(nanos(e.GetTimeUnixNano())) + "Z", a})
	}
	failed := ""
	if s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		failed = cmp.Or(exception, s.GetStatus().GetMessage(), "error")
	}
	if len(events) == 0 {
		return trace.Content{}, failed
	}
	text, err := json.Marshal(events)
	if err != nil {
		return trace.Content{}, failed
	}
	return trace.Inline(text), failed
}

func orNone(v any) any {
	if v == nil {
		return ""
	}
	return v
}

// partialSuccess is the answer to an export in protobuf. Its message is written
// by hand: the package that has it brings a whole gRPC along.
func partialSuccess(rejected int, message string) []byte {
	if rejected == 0 {
		return nil
	}
	var inner []byte
	inner = protowire.AppendTag(inner, 1, protowire.VarintType)
	inner = protowire.AppendVarint(inner, uint64(rejected))
	inner = protowire.AppendTag(inner, 2, protowire.BytesType)
	inner = protowire.AppendString(inner, message)
	out := protowire.AppendTag(nil, 1, protowire.BytesType)
	return protowire.AppendBytes(out, inner)
}
