// Command visitor stands in for an Agent Server that keeps what it knows in
// PostgreSQL, at POSTGRES_URI.
//
//	GET  /ok            200 as long as its database answers
//	GET  /visits        adds a row to a table of its own, and counts them
//	GET  /value?name=   one variable
//	GET  /reach         the status that LANGSMITH_ENDPOINT answers it with
package main

import (
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"os"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

func main() {
	pool, err := sql.Open("pgx", os.Getenv("POSTGRES_URI"))
	if err != nil {
		log.Fatal("POSTGRES_URI can not be read") // what the driver says may quote it
	}
	http.HandleFunc("GET /ok", answer(func(r *http.Request) (string, error) { return "ok", pool.PingContext(r.Context()) }))
	http.HandleFunc("GET /visits", answer(func(r *http.Request) (string, error) {
		if _, err := pool.ExecContext(r.Context(), "CREATE TABLE IF NOT EXISTS visits (at timestamptz DEFAULT now())"); err != nil {
			return "", err
		}
		if _, err := pool.ExecContext(r.Context(), "INSERT INTO visits DEFAULT VALUES"); err != nil {
			return "", err
		}
		var n int
		err := pool.QueryRowContext(r.Context(), "SELECT count(*) FROM visits").Scan(&n)
		return fmt.Sprint(n), err
	}))
	http.HandleFunc("GET /value", answer(func(r *http.Request) (string, error) { return os.Getenv(r.FormValue("name")), nil }))
	http.HandleFunc("GET /reach", answer(reach))
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
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
