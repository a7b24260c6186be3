package store

import (
	"context"
	"database/sql"
	"strings"

	"github.com/slipwayhq/slipway/store/db"
)

// textual gives an engine only text that PostgreSQL takes too: agents print any
// bytes, and clients ask for any. What can not be is replaced on its way in, in
// what is written and in what is looked for, so that both engines do alike.
type textual struct{ db.DBTX }

func (c textual) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return c.DBTX.ExecContext(ctx, query, texts(args)...)
}

func (c textual) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return c.DBTX.QueryContext(ctx, query, texts(args)...)
}

func (c textual) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return c.DBTX.QueryRowContext(ctx, query, texts(args)...)
}

// texts changes args, which the generated code makes for each call.
func texts(args []any) []any {
	for i, a := range args {
		switch a := a.(type) {
		case string:
			if clean := text(a); clean != a {
				args[i] = clean
			}
		case sql.NullString:
			if clean := text(a.String); clean != a.String {
				args[i] = sql.NullString{String: clean, Valid: a.Valid}
			}
		}
	}
	return args
}

// text has U+FFFD for what is not UTF-8, and for U+0000.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
