package postgres_test

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/postgrestest"
	"github.com/slipwayhq/slipway/store/postgres"
)

const password = "s3cr3t%/:@"

// secret reports a text that holds the password, plain or escaped.
func secret(t *testing.T, text string) {
	t.Helper()
	for _, s := range []string{password, "s3cr3t", url.QueryEscape(password)} {
		if strings.Contains(text, s) {
			t.Errorf("the password is in %q", text)
		}
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	l.Close()
	user := url.UserPassword("me", password).String()
	for name, c := range map[string]struct{ url, want string }{
		"nobody listens":    {"postgres://" + user + "@" + free + "/app", "cannot reach PostgreSQL at " + free + "/app: "},
		"no such host":      {"postgres://" + user + "@nowhere.invalid/app", "cannot reach PostgreSQL at nowhere.invalid:5432/app: "},
		"no socket":         {"postgres://" + user + "@/app?host=/no/such/folder", "cannot reach PostgreSQL at /no/such/folder:5432/app: "},
		"other scheme":      {"mysql://" + user + "@host/app", "can not be read: want postgres://"},
		"no scheme":         {"host=h password=s3cr3t dbname=app", "can not be read: want postgres://"},
		"unescaped":         {"postgres://me:" + password + "@host/app", "can not be read: want postgres://"},
		"bad port":          {"postgres://" + user + "@host:port/app", "can not be read: want postgres://"},
		"bad sslmode":       {"postgres://" + user + "@host/app?sslmode=maybe", "can not be read: want postgres://"},
		"password in query": {"postgres://me@host/app?sslmode=maybe&password=" + url.QueryEscape(password), "can not be read: want postgres://"},
		"sslmode alone":     {"postgres://me@host/app?sslmode=maybe", "sslmode is invalid"},
	} {
		_, err := postgres.Open(t.Context(), c.url)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v, want %q", name, err, c.want)
			continue
		}
		secret(t, err.Error())
	}
}

func TestWrongPassword(t *testing.T) {
	base, err := url.Parse(postgrestest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	exec(t, base.String(), "CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'right'")
	with := func(password string) string {
		u := *base
		u.User = url.UserPassword("guarded", password)
		return u.String()
	}
	_, err = postgres.Open(t.Context(), with(password))
	if err == nil || !strings.Contains(err.Error(), "cannot reach PostgreSQL at /") || !strings.Contains(err.Error(), "password authentication failed") {
		t.Errorf("error is %v", err)
	}
	secret(t, err.Error())
	open(t, with("right"))
}

func TestOtherEncoding(t *testing.T) {
	base := postgrestest.Empty(t)
	exec(t, base, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/latin"
	if _, err := postgres.Open(t.Context(), u.String()); err == nil || !strings.Contains(err.Error(), "encoding LATIN1") {
		t.Errorf("error is %v", err)
	}
}

// The database goes away and comes back while the store is open, also in the
// middle of a function.
func TestRestart(t *testing.T) {
	c := postgrestest.Start(t)
	s := open(t, c.URL("postgres"))
	update(t, s, insert("before"))
	restart := func() {
		if err := errors.Join(c.Down(), c.Up()); err != nil {
			t.Fatal(err)
		}
	}
	restart()
	if ids := stored(t, s); len(ids) != 1 {
		t.Errorf("stored %v", ids)
	}
	runs := 0
	update(t, s, func(tx slipway.Tx) error {
		if runs++; runs == 1 {
			restart()
		}
		return insert("during")(tx)
	})
	if ids := stored(t, s); runs != 2 || len(ids) != 2 {
		t.Errorf("%d runs, stored %v", runs, ids)
	}
	if err := c.Down(); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), insert("while it is down")); err == nil {
		t.Error("an update without a database")
	}
	if err := c.Up(); err != nil {
		t.Fatal(err)
	}
	if ids := stored(t, s); len(ids) != 2 {
		t.Errorf("stored %v", ids)
	}
}
