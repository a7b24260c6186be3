package server

import (
	"fmt"
	"path/filepath"
	"strings"
)

// admin is the name of the administrator's role.
const admin = "slipway"

// settings are for many databases with little in each, on a machine that has other
// work. What is left out is PostgreSQL's own; durability is.
const settings = `# Slipway writes this file anew at each start of PostgreSQL. Settings of your own
# belong into custom.conf beside it, or in ALTER SYSTEM; they win.

port = %d
listen_addresses = '%s'
unix_socket_directories = '../run'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'

max_connections = 400
superuser_reserved_connections = 5
shared_buffers = '64MB'
maintenance_work_mem = '32MB'
max_wal_size = '256MB'
huge_pages = off
jit = off
autovacuum_max_workers = 2
max_worker_processes = 4
max_parallel_workers_per_gather = 0

# What agents do wrong they are told themselves.
logging_collector = off
log_destination = 'stderr'
log_min_messages = 'log'
log_min_error_statement = 'panic'
log_checkpoints = off
log_line_prefix = '%%m [%%p] %%u@%%d '
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'

include_if_exists 'custom.conf'
`

// access has everybody sign in by a password, and the administrator through the
// socket only.
const access = `# Slipway writes this file anew at each start of PostgreSQL.
local all all scram-sha-256
host all ` + admin + ` all reject
host all all all scram-sha-256
`

// configure writes the files that PostgreSQL is started with.
func (s *Server) configure(port int, listens []string) error {
	addresses := strings.Join(listens, ",")
	for name, content := range map[string]string{
		"postgresql.conf": fmt.Sprintf(settings, port, addresses),
		"pg_hba.conf":     access,
		"pg_ident.conf":   "",
	} {
		if err := writeWhole(filepath.Join(s.conf(), name), content, 0o644); err != nil {
			return fmt.Errorf("write the settings of PostgreSQL: %w", err)
		}
	}
	return nil
}

// arguments of PostgreSQL.
func (s *Server) arguments() []string {
	args := []string{"-D", s.data()}
	for setting, file := range map[string]string{"config_file": "postgresql.conf", "hba_file": "pg_hba.conf", "ident_file": "pg_ident.conf"} {
		args = append(args, "-c", setting+"="+filepath.Join(s.conf(), file))
	}
	return args
}
