package database_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/database/programs"
	"github.com/slipwayhq/slipway/internal/postgrestest"
)

// BenchmarkProvide is what a deployment waits for its database: owner, database and
// login, from the request to an address that lets in.
func BenchmarkProvide(b *testing.B) {
	p := open(b, given(b, postgrestest.Shared(b).URL("postgres")))
	for b.Loop() {
		r := slipway.DatabaseRequest{Deployment: slipway.NewID[slipway.DeploymentID](time.Now()), Login: slipway.Login{Number: 1, Password: "p"}}
		if _, err := p.Provide(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAgain is what each further start of an instance waits.
func BenchmarkAgain(b *testing.B) {
	p := open(b, given(b, postgrestest.Shared(b).URL("postgres")))
	r := slipway.DatabaseRequest{Deployment: slipway.NewID[slipway.DeploymentID](time.Now()), Login: slipway.Login{Number: 1, Password: "p"}}
	for b.Loop() {
		if _, err := p.Provide(context.Background(), r); err != nil {
			b.Fatal(err)
		}
		r.Made = true
	}
}

// BenchmarkCreatedb is PostgreSQL's own program beside it, which makes a database
// and nothing else.
func BenchmarkCreatedb(b *testing.B) {
	c := postgrestest.Shared(b)
	found, err := (programs.Finder{}).Find(b.Context(), programs.Wanted{Names: []string{"createdb"}})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		name := fmt.Sprintf("bench_%d_%d", b.N, n)
		cmd := exec.Command(filepath.Join(found.Bin, "createdb"), "--maintenance-db="+c.URL("postgres"), "--template=template0", name)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
}
