package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/internal/daemon"
)

// newAdminCommand holds what needs the folder of data itself, not a key.
func newAdminCommand() *cobra.Command {
	c := &cobra.Command{Use: "admin", Short: "Administer a server from its own machine"}
	c.AddCommand(newAdminKeyCommand())
	return c
}

// adminKeyFlags say which key is made, and where it goes.
type adminKeyFlags struct {
	data, database string
	name           string
	scopes         []string
	workspace      string
	organization   bool
	expiresIn      time.Duration
	output         string
}

func newAdminKeyCommand() *cobra.Command {
	var f adminKeyFlags
	c := &cobra.Command{
		Use:   "key",
		Short: "Make a new admin key, for when the first is lost, or any other key",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return makeAdminKey(c, f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.data, "data", "./.slipway", "folder of the server's data")
	addDatabaseFlag(c, &f.database)
	flags.StringVar(&f.name, "name", "admin", "name of the key")
	flags.StringSliceVar(&f.scopes, "scope", nil, "scope of the key, more than once for several (default: as the first key)")
	flags.StringVar(&f.workspace, "workspace", "", "id of the workspace that the key is for (default: the first)")
	flags.BoolVar(&f.organization, "organization", false, "make a key for all workspaces")
	flags.DurationVar(&f.expiresIn, "expires-in", 0, "how long the key is good (default: for ever)")
	flags.StringVar(&f.output, "output", "", "file that the key is written to, - to print it (default: <data>/admin.key)")
	return c
}

func makeAdminKey(c *cobra.Command, f adminKeyFlags) error {
	n, err := f.key()
	if err != nil {
		return err
	}
	if f.output == "-" {
		return daemon.NewAdminKey(c.Context(), f.data, databaseURL(f.database), n, func(token string) error {
			_, err := io.WriteString(c.OutOrStdout(), token+"\n")
			return err
		})
	}
	path := first(f.output, daemon.AdminKeyFile(f.data))
	err = daemon.NewAdminKey(c.Context(), f.data, databaseURL(f.database), n, func(token string) error { return daemon.WriteKey(path, token) })
	if err == nil {
		fmt.Fprintf(c.OutOrStdout(), "A new key is in %s. Keys made before stay valid.\n", path)
	}
	return err
}

// key is what the flags ask for. The commands on this machine take admin.key for
// everything: a key that is good for less must not replace it.
func (f adminKeyFlags) key() (slipway.NewKey, error) {
	n := slipway.NewKey{Name: f.name, Workspace: slipway.WorkspaceID(f.workspace), Organisation: f.organization}
	special := f.organization || f.workspace != "" || len(f.scopes) > 0 || f.expiresIn != 0
	switch {
	case special && f.output == "":
		return n, usagef("say by --output where this key goes: admin.key is for one like the first")
	case f.organization && f.workspace != "":
		return n, usagef("a key is either for one workspace or for all: leave out --workspace or --organization")
	case f.expiresIn < 0:
		return n, usagef("--expires-in can not be negative")
	case f.expiresIn > 0:
		n.ExpiresAt = time.Now().Add(f.expiresIn)
	}
	if len(f.scopes) == 0 {
		return n, nil
	}
	var err error
	if n.Scopes, err = slipway.ParseScopes(f.scopes); err != nil {
		return n, usagef("--scope: %v", err)
	}
	return n, nil
}
