// Command slipway is the whole product: the server, and the command line that
// speaks to one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/slipwayhq/slipway/client"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal ends us at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs a command line and returns its exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	root, begun := newRootCommand(), false
	markBegin(root, &begun)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	_, wrong := errors.AsType[usageError](err)
	if wrong || !begun {
		fmt.Fprintf(errs, "slipway: %v\nRun '%s --help' for how it is used.\n", err, cmd.CommandPath())
		return exitUsage
	}
	fmt.Fprintf(errs, "slipway: %s\n", explain(ctx, err))
	return exitFailed
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "slipway",
		Short:         "A control plane for LangGraph Agent Servers",
		Long:          "Slipway deploys LangGraph apps and keeps them running.\n\nTo see it work: slipway demo. To serve: slipway server. To deploy the app in this folder: slipway deploy.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newServerCommand(), newAdminCommand(), newDemoCommand(),
		newDeployCommand(), newListCommand(), newStatusCommand(), newRevisionsCommand(), newLogsCommand(), newTracesCommand(), newMetricsCommand(),
		newRedeployCommand(), newRollbackCommand(), newRotateCommand(), newDeleteCommand(), newRestoreCommand(), newPurgeCommand(), newReceiptCommand(), newSnapshotCommand(), newProtectCommand(),
		newListenersCommand(), newLeftoversCommand(), newConformanceCommand(), newDoctorCommand(), newVersionCommand(),
	)
	return root
}

// markBegin notes when a command begins: what goes wrong before that is wrong
// usage.
func markBegin(cmd *cobra.Command, begun *bool) {
	if do := cmd.RunE; do != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*begun = true
			return do(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		markBegin(sub, begun)
	}
}

// usageError is wrong usage that only the command itself can see.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// explain adds to an error what a person may do about it.
func explain(ctx context.Context, err error) string {
	refused, _ := errors.AsType[*client.Error](err)
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return errInterrupted.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return err.Error() + "\nNo server answers there. Start one with 'slipway server', or name another with --url or SLIPWAY_URL."
	case refused != nil && refused.Status == http.StatusUnauthorized:
		return err.Error() + "\nThe server does not know this key. Give one by --api-key or SLIPWAY_API_KEY."
	}
	return err.Error()
}
