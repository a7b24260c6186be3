package database

import (
	"context"
	"errors"
	"fmt"
)

// errOccupied means that somebody is in a database whom our role may not cut.
var errOccupied = errors.New("only a superuser can end that")

// occupied explains why a database can not be dropped or renamed, if that is because of
// who is in it: only a superuser can cut a superuser, or see what they are. Who has
// the rights of the owner lacks none for it, so else it is a vacuum, which passes.
func (s *session) occupied(ctx context.Context, err error, name string) error {
	if state := stateOf(err); state != noRight && state != inUse {
		return err
	}
	const query = `SELECT pg_has_role(current_user, $2, 'USAGE'), coalesce((SELECT string_agg(DISTINCT r.rolname, ', ')
		FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid WHERE r.rolsuper AND a.datname = $1), '')`
	var may bool
	var who string
	switch other := s.QueryRowContext(ctx, query, name, ownerOf(name)).Scan(&may, &who); {
	case other != nil:
		return errors.Join(err, other)
	case who != "":
		return fmt.Errorf("the superuser %s is connected to %s, and %w: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", who, name, errOccupied, literal(name))
	case may:
		return fmt.Errorf("the server is at work in %s, and %w, or it ends by itself", name, errOccupied)
	}
	return err
}
