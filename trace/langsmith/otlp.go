package langsmith

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"mime"
	"net/http"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/trace"
)

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// exportPath is where spans are sent to, below each prefix.
const exportPath = "/otel/v1/traces"

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
	if err := in.addSpans(spans, r.Header.Get("Langsmith-Project")); err != nil {
		return err
	}
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
	spans := new(tracepb.TracesData)
	weight := int64(0)
	if kind == protobufType {
		weight = weigh(text, spans.ProtoReflect().Descriptor(), 0)
	} else {
		weight = weighJSON(text)
	}
	if err := b.hold(int64(2*len(text)) + weight); err != nil { // as it is, and as runs
		return nil, err
	}
	if kind == protobufType {
		err = unmarshal(text, spans)
	} else {
		err = protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxNested}.Unmarshal(bytes.ToValidUTF8(text, replacement), spans)
		unmangle(spans)
	}
	if err != nil {
		return nil, slipway.Errorf(slipway.CodeInvalid, "This is no OTLP export: %v", err)
	}
	return spans, nil
}

// replacement is what stands for bytes that are no UTF-8.
var replacement = []byte("\uFFFD")

// unmarshal reads protobuf. Its decoder takes no text that is no UTF-8, and some
// attribute may be one.
func unmarshal(text []byte, into proto.Message) error {
	decoder := proto.UnmarshalOptions{RecursionLimit: maxNested}
	err := decoder.Unmarshal(text, into)
	if err != nil {
		err = decoder.Unmarshal(cleaned(text, into.ProtoReflect().Descriptor(), 0), into)
	}
	return err
}

// cleaned is a message with texts that are UTF-8.
func cleaned(text []byte, of protoreflect.MessageDescriptor, nested int) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 && nested < maxNested {
		number, kind, n := protowire.ConsumeField(text)
		if n < 0 {
			break
		}
		field := of.Fields().ByNumber(number)
		if field == nil || kind != protowire.BytesType || field.Kind() == protoreflect.BytesKind {
			out, text = append(out, text[:n]...), text[n:]
			continue
		}
		_, _, tag := protowire.ConsumeTag(text)
		inner, _ := protowire.ConsumeBytes(text[tag:])
		if field.Message() != nil {
			inner = cleaned(inner, field.Message(), nested+1)
		} else {
			inner = bytes.ToValidUTF8(inner, replacement)
		}
		out, text = protowire.AppendBytes(append(out, text[:tag]...), inner), text[n:]
	}
	return append(out, text...)
}

const (
	// messageCost is what a message of an export, such as an attribute, takes of
	// memory besides its content, about; spanCost is that of those that lie as deep
	// as spans.
	messageCost = 64
	spanCost    = 384
	spanNesting = 3
	// maxNested bounds how deep messages lie in each other.
	maxNested = 200
)

// weigh is what the messages in one take of memory: a few bytes may be very many.
// What it can not read, the decoder will refuse.
func weigh(text []byte, of protoreflect.MessageDescriptor, nested int) (weight int64) {
	for len(text) > 0 && nested < maxNested {
		number, kind, n := protowire.ConsumeField(text)
		if n < 0 {
			return weight
		}
		if field := of.Fields().ByNumber(number); field != nil && field.Message() != nil && kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(text)
			inner, _ := protowire.ConsumeBytes(text[tag:])
			weight += costOf(nested+1) + weigh(inner, field.Message(), nested+1)
		}
		text = text[n:]
	}
	return weight
}

// weighJSON is weigh for JSON, whose objects are the messages.
func weighJSON(text []byte) (weight int64) {
	nested, quoted := -1, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && c == '{':
			nested++
			weight += costOf(nested)
		case !quoted && c == '}':
			nested--
		}
	}
	return weight
}

func costOf(nested int) int64 {
	if nested == spanNesting {
		return spanCost
	}
	return messageCost
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
func (in *intake) addSpans(spans *tracepb.TracesData, project string) error {
	roots := map[trace.ID]bool{} // spans of this request
	for s := range spansOf(spans) {
		if isRoot(s) {
			roots[spanRun(s.GetTraceId(), s.GetSpanId())] = true
		}
	}
	var resource attributes
	var last *tracepb.ResourceSpans
	for s, of := range spansOf(spans) {
		if err := in.body.hold(runCost); err != nil {
			return err
		}
		if of != last {
			last, resource = of, attributesOf(of.GetResource().GetAttributes())
		}
		in.addSpan(s, resource, project, roots)
	}
	return nil
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
