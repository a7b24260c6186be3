package langsmith

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"mime"
	"net/http"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// takeSpans takes OpenTelemetry's spans, as OTLP over HTTP.
func (h *Handler) takeSpans(w http.ResponseWriter, r *http.Request, who slipway.Principal) error {
	if err := h.Room(); err != nil {
		return err
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != protobufType && kind != jsonType {
		return slipway.Errorf(slipway.CodeInvalid, "Content-Type must be %s or %s.", protobufType, jsonType)
	}
	b, err := h.openBody(w, r)
	if err != nil {
		return err
	}
	in := h.newIntake(who, b)
	defer in.close(r.Context())
	spans, err := readSpans(b, kind)
	if err != nil {
		return err
	}
	in.addSpans(spans, r.Header.Get("Langsmith-Project"))
	out, err := in.write(r.Context())
	if err != nil {
		return err
	}
	answerExport(w, kind, out)
	return nil
}

// readSpans reads an export request, whose wire form that of TracesData is.
func readSpans(b *body, kind string) (*tracepb.TracesData, error) {
	text, err := io.ReadAll(io.LimitReader(b, maxJSON+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(text) > maxJSON {
		return nil, slipway.Errorf(slipway.CodeTooLarge, "An export has at most %d MiB: make batches smaller.", maxJSON>>20)
	}
	if err := b.hold(int64(2 * len(text))); err != nil { // as it is, and as runs
		return nil, err
	}
	spans := new(tracepb.TracesData)
	if kind == protobufType {
		err = proto.Unmarshal(text, spans)
	} else {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, spans)
		unmangle(spans)
	}
	if err != nil {
		return nil, slipway.Errorf(slipway.CodeInvalid, "This is no OTLP export: %v", err)
	}
	return spans, nil
}

// unmangle mends identities, which OTLP has in hexadecimal where protobuf's JSON
// has base64.
func unmangle(spans *tracepb.TracesData) {
	mend := func(id *[]byte) {
		if mended, err := hex.DecodeString(base64.StdEncoding.EncodeToString(*id)); err == nil {
			*id = mended
		}
	}
	for s := range spansOf(spans) {
		mend(&s.TraceId)
		mend(&s.SpanId)
		mend(&s.ParentSpanId)
	}
}

// spansOf yields spans with the resource that they are of.
func spansOf(spans *tracepb.TracesData) func(func(*tracepb.Span, *tracepb.ResourceSpans) bool) {
	return func(yield func(*tracepb.Span, *tracepb.ResourceSpans) bool) {
		for _, of := range spans.GetResourceSpans() {
			for _, scope := range of.GetScopeSpans() {
				for _, s := range scope.GetSpans() {
					if !yield(s, of) {
						return
					}
				}
			}
		}
	}
}

// addSpans adds a run for each span.
func (in *intake) addSpans(spans *tracepb.TracesData, project string) {
	roots := map[trace.ID]bool{} // spans of this request
	for s := range spansOf(spans) {
		if isRoot(s) {
			roots[spanRun(s.GetTraceId(), s.GetSpanId())] = true
		}
	}
	for s, of := range spansOf(spans) {
		in.addSpan(s, attributesOf(of.GetResource().GetAttributes()), project, roots)
	}
}

// answerExport answers as OTLP has it: what was refused is counted, and is not to
// be sent again.
func answerExport(w http.ResponseWriter, kind string, out outcome) {
	refused, first := len(out.refused), ""
	if refused > 0 {
		first = out.refused[0].Error()
	}
	if kind == jsonType {
		said := map[string]any{}
		if refused > 0 {
			said["partialSuccess"] = map[string]any{"rejectedSpans": refused, "errorMessage": first}
		}
		answer(w, http.StatusOK, said)
		return
	}
	w.Header().Set("Content-Type", protobufType)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(partialSuccess(refused, first))
}
