package langsmith_test

import (
	"bytes"
	"net/http"
	"slices"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

var (
	traceBytes = []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	traceText  = "01020304-0506-0708-090a-0b0c0d0e0f10"
	rootSpan   = []byte{0xaa, 0, 0, 0, 0, 0, 0, 1}
	childSpan  = []byte{0xbb, 0, 0, 0, 0, 0, 0, 2}
	childText  = "bb000000-0000-0002-090a-0b0c0d0e0f10"
)

func attribute(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

func spans(list ...*tracepb.Span) []byte {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: list}}}}})
	if err != nil {
		panic(err)
	}
	return body
}

func (o *office) export(body []byte) answered {
	r := o.request("w", "POST", "/api/v1/otel/v1/traces", "application/x-protobuf", bytes.NewReader(body))
	r.Header.Set("Langsmith-Project", "p")
	return o.do(r)
}

const second = 1_772_366_400_000_000_000 // 2026-03-01T12:00:00Z

func aRoot() *tracepb.Span {
	return &tracepb.Span{
		TraceId: traceBytes, SpanId: rootSpan, Name: "agent", StartTimeUnixNano: second, EndTimeUnixNano: second + 3e9,
		Attributes: []*commonpb.KeyValue{attribute("input.value", `{"q": 1}`), attribute("output.value", "plain"), attribute("langsmith.span.tags", "a, b"), attribute("langsmith.metadata.user", "u")},
	}
}

func aChild() *tracepb.Span {
	return &tracepb.Span{
		TraceId: traceBytes, SpanId: childSpan, ParentSpanId: rootSpan, Name: "chat model", StartTimeUnixNano: second + 1e9, EndTimeUnixNano: second + 2e9,
		Attributes: []*commonpb.KeyValue{
			attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.system", "openai"), attribute("gen_ai.request.model", "m"),
			attribute("gen_ai.prompt.0.role", "user"), attribute("gen_ai.prompt.0.content", "hello"),
			{Key: "gen_ai.usage.input_tokens", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: 7}}},
		},
		Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR, Message: "no luck"},
	}
}

// Spans become the runs of one trace, in whatever order and requests they come.
func TestSpans(t *testing.T) {
	for name, requests := range map[string][][]byte{
		"at once":     {spans(aRoot(), aChild())},
		"child first": {spans(aChild()), spans(aRoot())},
		"again":       {spans(aChild(), aRoot()), spans(aRoot())},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			for _, body := range requests {
				o.export(body).expect(t, http.StatusOK, "")
			}
			root, child := o.read("w", traceText), o.read("w", childText)
			if root.Name != "agent" || root.RunType != "chain" || string(root.Inputs) != `{"q":1}` || string(root.Outputs) != `{"output":"plain"}` || !slices.Equal(root.Tags, []string{"a", "b"}) || root.Extra.Metadata["user"] != "u" || root.Status != "success" {
				t.Errorf("root: %+v %s %s", root, root.Inputs, root.Outputs)
			}
			if child.RunType != "llm" || *child.Error != "no luck" || string(child.Inputs) != `{"messages":[{"content":"hello","role":"user"}]}` || child.Extra.Metadata["ls_model_name"] != "m" {
				t.Errorf("child: %+v %s", child, child.Inputs)
			}
			if *child.ParentRunID != traceText || child.DottedOrder != root.DottedOrder+".20260301T120001000000Z"+childText {
				t.Errorf("the child is at %s, below %s", child.DottedOrder, *child.ParentRunID)
			}
			if found := o.find("w", `{"trace": "`+traceText+`", "is_root": true}`); len(found) != 1 {
				t.Errorf("roots: %+v", found)
			}
		})
	}
}

// LangSmith's own exporter hangs the first span below one that there never is.
func TestSpansOfTheVendor(t *testing.T) {
	o := open(t)
	root := aRoot()
	root.ParentSpanId = traceBytes[:8]
	o.export(spans(root)).expect(t, http.StatusOK, "")
	if r := o.read("w", traceText); r.ParentRunID != nil {
		t.Errorf("%+v", r)
	}
}

func TestSpansInJSON(t *testing.T) {
	o := open(t)
	o.ask("w", "POST", "/otel/v1/traces", `{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "0102030405060708090A0B0C0D0E0F10", "spanId": "aa00000000000001", "name": "agent", "kind": 1, "startTimeUnixNano": "1772366400000000000", "endTimeUnixNano": "1772366401000000000", "unknown": 1}]}]}]}`).expect(t, http.StatusOK, "{}")
	if r := o.read("w", traceText); r.Name != "agent" || r.StartTime != begun {
		t.Errorf("%+v", r)
	}
}

// What is wrong with a span keeps none of the others from being kept, and is not
// to be sent again.
func TestBadSpans(t *testing.T) {
	o := open(t)
	bad := aChild()
	bad.SpanId = nil
	got := o.export(spans(bad, aRoot()))
	got.expect(t, http.StatusOK, "has no identity")
	if got.body[0] != 1<<3|2 || got.body[2] != 1<<3 || got.body[3] != 1 {
		t.Errorf("no partial success of one: %x", got.body)
	}
	o.read("w", traceText)
	o.ask("w", "POST", "/otel/v1/traces", `{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "x"}]}]}]}`).expect(t, http.StatusOK, `"rejectedSpans":1`)
}
