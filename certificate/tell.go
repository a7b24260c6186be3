package certificate

import (
	"context"
	"log/slog"
	"time"

	"go.uber.org/zap/zapcore"
)

// tell has certmagic speak to our log, at the level of debugging: what it calls
// errors are handshakes of anyone for any name, and what matters is told here
// in words of our own.
type tell struct{ handler slog.Handler }

func (t tell) Enabled(zapcore.Level) bool {
	return t.handler.Enabled(context.Background(), slog.LevelDebug)
}

func (t tell) With(fields []zapcore.Field) zapcore.Core {
	return tell{t.handler.WithAttrs(attrs(fields))}
}

func (t tell) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if t.Enabled(e.Level) {
		return c.AddCore(e, t)
	}
	return c
}

func (t tell) Write(e zapcore.Entry, fields []zapcore.Field) error {
	r := slog.NewRecord(e.Time, slog.LevelDebug, e.Message, 0)
	r.AddAttrs(attrs(fields)...)
	return t.handler.Handle(context.Background(), r)
}

func (t tell) Sync() error { return nil }

func attrs(fields []zapcore.Field) []slog.Attr {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(values)
	}
	var all []slog.Attr
	for name, v := range values.Fields {
		if t, ok := v.(time.Time); ok {
			v = t.UTC()
		}
		all = append(all, slog.Any(name, v))
	}
	return all
}
