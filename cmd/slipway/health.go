package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway/internal/daemon"
)

// registerHealth adds the settings of how what serves is looked after.
func registerHealth(flags *pflag.FlagSet, c *daemon.Config) {
	flags.DurationVar(&c.Settle, "settle-window", 10*time.Minute, "how long a new revision is watched, to go back to the last good one if it fails again and again; 0 is not at all")
	flags.DurationVar(&c.Vitals.Every, "health-interval", 15*time.Second, "how often an agent that serves is asked whether it is alive")
	flags.DurationVar(&c.Vitals.Timeout, "health-timeout", 10*time.Second, "how long its answer may take")
	flags.IntVar(&c.Vitals.Misses, "health-misses", 4, "answers in a row that it misses before it is started again")
	flags.DurationVar(&c.Vitals.Pending, "pending-run-limit", 5*time.Minute, "how long a run may wait while none runs before the agent is started again")
}

// checkHealth refuses settings that would end agents for nothing.
func checkHealth(c daemon.Config) error {
	if c.Settle < 0 || c.Vitals.Every <= 0 || c.Vitals.Timeout <= 0 || c.Vitals.Misses <= 0 || c.Vitals.Pending <= 0 {
		return usagef("--settle-window can not be negative, and --health-interval, --health-timeout, --health-misses and --pending-run-limit must be more than nothing")
	}
	return nil
}
