// Command visitor stands in for an Agent Server that keeps what it knows in
// PostgreSQL, at POSTGRES_URI, and what it is to do in Redis, at REDIS_URI.
//
//	GET  /ok            200 as long as its database answers
//	GET  /visits        adds a row to a table of its own, and counts them
//	GET  /jobs          adds one to a list of its own in Redis, and counts them
//	GET  /value?name=   one variable
//	GET  /reach         the status that LANGSMITH_ENDPOINT answers it with
//	GET  /birth         what tells it from every other
//	POST /queue?length= has so many runs wait, for all that share its database
//	GET  /metrics       how many those are, as LangGraph's server says it
package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"os"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
	"github.com/redis/go-redis/v9"
)

func main() {
	pool, err := sql.Open("pgx", os.Getenv("POSTGRES_URI"))
	if err != nil {
		log.Fatal("POSTGRES_URI can not be read") // what the driver says may quote it
	}
	birth, db := rand.Text(), database{pool}
	http.HandleFunc("GET /ok", answer(func(r *http.Request) (string, error) { return "ok", pool.PingContext(r.Context()) }))
	http.HandleFunc("GET /visits", answer(func(r *http.Request) (string, error) {
		if err := db.add(r.Context(), "visits", "1"); err != nil {
			return "", err
		}
		return db.count(r.Context(), "visits")
	}))
	http.HandleFunc("GET /jobs", answer(func(r *http.Request) (string, error) { return jobs(r.Context()) }))
	http.HandleFunc("GET /value", answer(func(r *http.Request) (string, error) { return os.Getenv(r.FormValue("name")), nil }))
	http.HandleFunc("GET /reach", answer(reach))
	http.HandleFunc("GET /birth", answer(func(*http.Request) (string, error) { return birth, nil }))
	http.HandleFunc("POST /queue", answer(func(r *http.Request) (string, error) {
		if err := db.empty(r.Context(), "queue"); err != nil {
			return "", err
		}
		return "", db.add(r.Context(), "queue", r.FormValue("length"))
	}))
	http.HandleFunc("GET /metrics", answer(func(r *http.Request) (string, error) {
		n, err := db.count(r.Context(), "queue")
		return fmt.Sprintf(`{"queue": {"n_pending": %s, "n_running": 0}}`, n), err
	}))
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}

// database has tables that are made when they are first used.
type database struct{ *sql.DB }

func (d database) make(ctx context.Context, table string) error {
	_, err := d.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+table+" (at timestamptz DEFAULT now())")
	return err
}

func (d database) add(ctx context.Context, table, rows string) error {
	err := d.make(ctx, table)
	if err == nil {
		_, err = d.ExecContext(ctx, "INSERT INTO "+table+" SELECT now() FROM generate_series(1, $1::text::int)", rows)
	}
	return err
}

func (d database) empty(ctx context.Context, table string) error {
	err := d.make(ctx, table)
	if err == nil {
		_, err = d.ExecContext(ctx, "DELETE FROM "+table)
	}
	return err
}

func (d database) count(ctx context.Context, table string) (n string, err error) {
	if err = d.make(ctx, table); err == nil {
		err = d.QueryRowContext(ctx, "SELECT count(*)::text FROM "+table).Scan(&n)
	}
	return n, err
}

func jobs(ctx context.Context) (string, error) {
	options, err := redis.ParseURL(os.Getenv("REDIS_URI"))
	if err != nil {
		return "", err
	}
	c := redis.NewClient(options)
	defer c.Close()
	n, err := c.RPush(ctx, "jobs", "one").Result()
	return fmt.Sprint(n), err
}

func answer(ask func(*http.Request) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := ask(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, text)
	}
}

func reach(r *http.Request) (string, error) {
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, os.Getenv("LANGSMITH_ENDPOINT")+"/info", nil)
	if err != nil {
		return "", err
	}
	ask.Header.Set("X-Api-Key", os.Getenv("LANGSMITH_API_KEY"))
	got, err := http.DefaultClient.Do(ask)
	if err != nil {
		return "", err
	}
	defer got.Body.Close()
	return fmt.Sprint(got.StatusCode), nil
}
