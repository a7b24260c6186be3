package check

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Detail is one fault of a request.
type Detail struct {
	Type  string
	Loc   []any // string and int
	Msg   string
	Input json.RawMessage
	Ctx   json.RawMessage // nil if the message was made without values
}

// Report prints the body of a 422.
func Report(details []Detail) []byte {
	out := []byte(`{"detail":[`)
	for i := range details {
		if i > 0 {
			out = append(out, ',')
		}
		out = details[i].print(out)
	}
	return append(out, "]}"...)
}

// MarshalJSON prints the keys in the contract's order.
func (d Detail) MarshalJSON() ([]byte, error) { return d.print(nil), nil }

func (d *Detail) print(out []byte) []byte {
	out = printText(append(out, `{"type":`...), d.Type)
	out = append(out, `,"loc":[`...)
	for i, step := range d.Loc {
		if i > 0 {
			out = append(out, ',')
		}
		switch s := step.(type) {
		case int:
			out = strconv.AppendInt(out, int64(s), 10)
		case string:
			out = printText(out, s)
		}
	}
	out = printText(append(out, `],"msg":`...), d.Msg)
	out = append(append(out, `,"input":`...), d.Input...)
	if d.Ctx != nil {
		out = append(append(out, `,"ctx":`...), d.Ctx...)
	}
	return append(out, '}')
}

// ctx prints pairs of a name and a value that is JSON already.
func ctx(pairs ...string) json.RawMessage {
	var out bytes.Buffer
	for i := 0; i < len(pairs); i += 2 {
		out.WriteByte("{,"[min(i, 1)])
		out.Write(append(printText(nil, pairs[i]), ':'))
		out.WriteString(pairs[i+1])
	}
	out.WriteByte('}')
	return out.Bytes()
}

func quote(s string) string { return string(printText(nil, s)) }

func invalidJSON(err *syntaxError) Detail {
	return Detail{
		Type: "json_invalid", Loc: []any{"body", err.at}, Msg: "JSON decode error",
		Input: json.RawMessage("{}"), Ctx: ctx("error", quote(err.msg)),
	}
}

func missing(input json.RawMessage, loc ...any) Detail {
	return Detail{Type: "missing", Loc: loc, Msg: "Field required", Input: input}
}
