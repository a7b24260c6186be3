package main

import (
	"fmt"

	"github.com/spf13/pflag"

	"github.com/slipwayhq/slipway/driver/process"
)

// defaultAgentUIDs follow those of builds; behind them, systemd gives numbers
// to services.
const defaultAgentUIDs = "60864-61183"

// noAgentUIDs has agents run as the server's own user.
const noAgentUIDs = "none"

func registerAgentUIDs(flags *pflag.FlagSet, uids *string) {
	flags.StringVar(uids, "agent-uids", defaultAgentUIDs, "users that agents run as if this server is root, first-last: each deployment gets one for good;\n\"none\" for the server's own user")
}

// registerDisk takes what is done about a disk that fills.
func registerDisk(flags *pflag.FlagSet, agent, reserve *int64) {
	*agent, *reserve = 10<<30, 256<<20
	flags.Var((*byteSize)(agent), "agent-disk", "how much an agent may keep on the disk, in its state and beside it; 0 for any amount")
	flags.Var((*byteSize)(reserve), "disk-reserve", "how much is kept free on the disk of the data folder for what runs: with less, builds, uploads\nand pushes are refused, and who fills it is ended; 0 for none")
}

// agentUsers that the flag names.
func agentUsers(text string) (u process.Users, err error) {
	if text == noAgentUIDs {
		return u, nil
	}
	if _, err := fmt.Sscanf(text, "%d-%d", &u.First, &u.Last); err != nil || u.First <= 0 || u.Last < u.First {
		return u, usagef("--agent-uids %q: want first-last, such as %s, or %s", text, defaultAgentUIDs, noAgentUIDs)
	}
	return u, nil
}
