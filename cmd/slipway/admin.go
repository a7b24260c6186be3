package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/internal/daemon"
)

// newAdminCommand holds what needs the folder of data itself, not a key.
func newAdminCommand() *cobra.Command {
	c := &cobra.Command{Use: "admin", Short: "Administer a server from its own machine"}
	c.AddCommand(newAdminKeyCommand())
	return c
}

func newAdminKeyCommand() *cobra.Command {
	var data, database string
	c := &cobra.Command{
		Use:   "key",
		Short: "Make a new admin key, for when the first is lost",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := daemon.NewAdminKey(c.Context(), data, databaseURL(database)); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "A new admin key is in %s. Keys made before stay valid.\n", daemon.AdminKeyFile(data))
			return nil
		},
	}
	c.Flags().StringVar(&data, "data", "./.slipway", "folder of the server's data")
	addDatabaseFlag(c, &database)
	return c
}
