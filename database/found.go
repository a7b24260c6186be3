package database

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/slipwayhq/slipway"
)

// found is a database or a role by a name of ours.
type found struct {
	name     string
	database bool
	label    label
	ours     bool
	open     bool // a database that takes connections
	marked   bool // it has such a comment itself
}

// allNamed lists databases and roles by the beginning of their name. A role's
// owner is itself.
const allNamed = `
	SELECT d.datname, true, d.datallowconn, shobj_description(d.oid, 'pg_database'), r.rolname, shobj_description(r.oid, 'pg_authid')
	FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE starts_with(d.datname, $1)
	UNION ALL
	SELECT rolname, false, rolcanlogin, shobj_description(oid, 'pg_authid'), rolname, NULL
	FROM pg_roles WHERE starts_with(rolname, $1)
	ORDER BY 2 DESC, 1`

// look lists what there is by the names of a deployment, of all if it is "":
// databases, then roles.
func (s *session) look(ctx context.Context, d slipway.DeploymentID) ([]found, error) {
	start := prefix
	if d != "" {
		start = ownerName(d)
	}
	rows, err := s.QueryContext(ctx, allNamed, start)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []found
	for rows.Next() {
		var f found
		var owner string
		var comment, ofOwner sql.NullString
		if err := rows.Scan(&f.name, &f.database, &f.open, &comment, &owner, &ofOwner); err != nil {
			return nil, err
		}
		f.judge(s.config.Owner, comment.String, owner, ofOwner.String)
		all = append(all, f)
	}
	return all, rows.Err()
}

// judge decides whether it is ours: a role by its comment, and a database by that
// of its owner. An agent acts as the owner: it can write what it likes on the
// database, and nothing on the role. What somebody else owns is judged by its own.
func (f *found) judge(installation, comment, owner, ofOwner string) {
	f.label, f.ours = believe(installation, f.name, comment)
	f.marked = f.ours
	if f.database && owner == ownerOf(f.name) {
		f.label, f.ours = believe(installation, f.name, ofOwner)
	}
}

// believe reads a comment, if it is one of this installation's on what can be its
// deployment's.
func believe(installation, name, comment string) (label, bool) {
	l, ok := readLabel(comment)
	if !ok || l.owner != installation || !l.owns(name) {
		return label{}, false
	}
	return l, true
}

// pick finds a database or a role by its name.
func pick(all []found, name string, database bool) (found, bool) {
	i := slices.IndexFunc(all, func(f found) bool { return f.name == name && f.database == database })
	if i < 0 {
		return found{}, false
	}
	return all[i], true
}

// refuse a name that a stranger has.
func (f found) refuse(at string) error {
	if f.ours {
		return nil
	}
	what := "role"
	if f.database {
		what = "database"
	}
	return failed("database_taken", "Rename it, or remove it if nobody needs it: Slipway touches nothing that lacks its comment.",
		"The PostgreSQL at %s has a %s %s already, which is not this installation's.", at, what, f.name)
}

// Remains implements slipway.Databases.
func (p *Postgres) Remains(ctx context.Context, d slipway.DeploymentID) ([]slipway.Thing, error) {
	if d != "" {
		if err := checkID(d); err != nil {
			return nil, err
		}
	}
	var things []slipway.Thing
	err := p.within(ctx, false, func(ctx context.Context, s *session) error {
		all, err := s.look(ctx, d)
		for _, f := range all {
			if f.ours && (d == "" || f.label.deployment == d) {
				things = append(things, f.thing(s.Place))
			}
		}
		return err
	})
	return things, unless(err, ErrNoServer)
}

// thing is what is known of it as the inventory knows it: what a deployment has of
// databases is one item, and so are the roles that are no numbered login.
func (f found) thing(at string) slipway.Thing {
	t := slipway.Thing{
		Kind: slipway.ItemDatabase, Ref: string(f.label.deployment), Deployment: f.label.deployment,
		What: fmt.Sprintf("database %s of the PostgreSQL at %s", f.name, at), Since: f.label.made,
	}
	if f.database {
		return t
	}
	t.What = fmt.Sprintf("role %s of the PostgreSQL at %s", f.name, at)
	if n := loginNumber(f.label.deployment, f.name); n > 0 {
		t.Kind, t.Ref = slipway.ItemLogin, fmt.Sprint(n)
	}
	return t
}
