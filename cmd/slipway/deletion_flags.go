package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway/internal/daemon"
)

// registerDeletion adds what becomes of deployments that are deleted, and of what
// is left over.
func registerDeletion(flags *pflag.FlagSet, c *daemon.Config) {
	flags.DurationVar(&c.Service.Undo, "undo", 72*time.Hour, "how long a deployment can be restored after it was deleted (0: not at all)")
	flags.StringVar(&c.Final, "final-snapshots", "", "folder where the state of a deleted deployment is kept, as an archive, before it goes for good (default: nowhere)")
	flags.DurationVar(&c.Service.KeepReceipts, "keep-receipts", 365*24*time.Hour, "how long the receipt of a deletion is kept after its end (0: for ever)")
	flags.DurationVar(&c.Leftovers.Every, "leftover-every", time.Hour, "how often it is looked for what is left over that nobody knows")
	flags.DurationVar(&c.Leftovers.Age, "leftover-age", 24*time.Hour, "how old such a thing must be to be removed")
}

func checkDeletion(c *daemon.Config) error {
	if c.Service.Undo < 0 || c.Service.KeepReceipts < 0 {
		return usagef("--undo and --keep-receipts can not be negative")
	}
	if c.Leftovers.Every < time.Minute || c.Leftovers.Age <= 0 {
		return usagef("--leftover-every must be 1m or more, and --leftover-age more than nothing")
	}
	if c.Service.KeepReceipts == 0 {
		c.Service.KeepReceipts = -1 // 0 is unset there
	}
	return nil
}
