package langsmith_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace/langsmith"
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

// Spans are kept whatever is in them, and when they come.
func TestStrangeSpans(t *testing.T) {
	double := func(key string, v float64) *commonpb.KeyValue {
		return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: v}}}
	}
	for name, c := range map[string]struct {
		change func(*tracepb.Span)
		is     func(kept) bool
	}{
		"numbers that JSON has not": {
			func(s *tracepb.Span) {
				s.Attributes = append(s.Attributes, double("cost", math.NaN()), double("most", math.Inf(1)), double("input.value", math.Inf(-1)))
			},
			func(r kept) bool {
				m := r.Extra.Metadata
				return m["cost"] == "NaN" && m["most"] == "+Inf" && m["user"] == "u" && string(r.Inputs) == `{"input":"-Inf"}`
			},
		},
		"a clock of the future": {
			func(s *tracepb.Span) { s.StartTimeUnixNano += 400 * 24 * 3600e9 },
			func(r kept) bool { return r.StartTime == "2027-04-05T12:00:00.000000" && r.Status == "success" },
		},
		"an end before the beginning": {
			func(s *tracepb.Span) { s.EndTimeUnixNano = second - 5e9 },
			func(r kept) bool { return *r.EndTime == "2026-03-01T11:59:55.000000" },
		},
		"no end": {
			func(s *tracepb.Span) { s.EndTimeUnixNano = 0 },
			func(r kept) bool { return r.Status == "pending" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			o, s := open(t), aRoot()
			c.change(s)
			o.export(spans(s)).expect(t, http.StatusOK, "")
			if r := o.read("w", traceText); !c.is(r) {
				t.Errorf("%+v %s", r, r.Inputs)
			}
		})
	}
}

// Text that is no UTF-8 keeps neither its span nor others from being kept.
func TestSpansThatAreNoUTF8(t *testing.T) {
	bad := aRoot()
	bad.Name, bad.Attributes = "agentXX", append(bad.Attributes, attribute("textXX", "valueXX"))
	body := bytes.ReplaceAll(spans(bad, aChild()), []byte("XX"), []byte("\xff\xc3"))
	o := open(t)
	o.export(body).expect(t, http.StatusOK, "")
	if r := o.read("w", traceText); r.Name != "agent\uFFFD" || r.Extra.Metadata["text\uFFFD"] != "value\uFFFD" {
		t.Errorf("%+v", r)
	}
	o.read("w", childText)
	o = open(t)
	o.ask("w", "POST", "/otel/v1/traces", `{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "0102030405060708090A0B0C0D0E0F10", "spanId": "aa00000000000001", "name": "agent`+"\xff"+`", "startTimeUnixNano": "1772366400000000000"}]}]}]}`).expect(t, http.StatusOK, "{}")
	if r := o.read("w", traceText); r.Name != "agent\uFFFD" {
		t.Errorf("%+v", r)
	}
}

// A span whose parent never comes is in its trace, and one that comes again is kept
// once.
func TestSpansAlone(t *testing.T) {
	o := open(t)
	for range 2 {
		o.export(spans(aChild(), aChild())).expect(t, http.StatusOK, "")
	}
	if found := o.find("w", `{"trace": "`+traceText+`"}`); len(found) != 1 || found[0].Name != "chat model" {
		t.Errorf("%+v", found)
	}
}

func TestLargeExport(t *testing.T) {
	o := open(t)
	large := aRoot()
	large.Attributes[0] = attribute("input.value", strings.Repeat("x", 100<<20))
	o.export(spans(large)).expect(t, http.StatusRequestEntityTooLarge, "make batches smaller")
}

// Exporters send again after 503, not after what has SDKs send again.
func TestExportsAreSentAgain(t *testing.T) {
	var failing atomic.Bool
	o := open(t, func(c *langsmith.Config) {
		c.Projects = unreachable{c.Projects, &failing}
	})
	expect := func(got answered) {
		t.Helper()
		if got.expect(t, http.StatusServiceUnavailable, ""); got.header.Get("Retry-After") == "" {
			t.Errorf("says nothing of when: %v", got.header)
		}
	}
	failing.Store(true)
	expect(o.export(spans(aRoot())))
	o.send("w", part{"post." + rootID, "", run("")}).expect(t, http.StatusInternalServerError, "")
	failing.Store(false)
	o.export(spans(aRoot())).expect(t, http.StatusOK, "")
	must(t, o.runs.Close())
	o.export(spans(aRoot())).expect(t, http.StatusServiceUnavailable, "")
	stuck, stop := io.Pipe()
	defer stop.Close()
	go func() { _, _ = stop.Write(spans(aRoot())[:10]) }()
	o = open(t, func(c *langsmith.Config) { c.Stalled = time.Millisecond })
	expect(o.do(o.request("w", "POST", "/otel/v1/traces", "application/x-protobuf", stuck)))
}

// unreachable are projects in a database that may be away.
type unreachable struct {
	langsmith.Projects
	away *atomic.Bool
}

func (u unreachable) ProjectNamed(ctx context.Context, who slipway.Principal, name string) (slipway.TracingProject, error) {
	if u.away.Load() {
		return slipway.TracingProject{}, errors.New("the database does not answer")
	}
	return u.Projects.ProjectNamed(ctx, who, name)
}
