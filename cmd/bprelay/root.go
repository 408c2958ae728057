package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	fmt.Fprint(stderr, complaint(err))
	return codeOf(err)
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "bprelay",
		Short: "A relay between a block producer's nodeos and the network",
		Long: "bprelay lets a block producer run several nodeos with one key: it feeds the network to all of\n" +
			"them, and of all their blocks lets exactly one per slot out.\n\n" + exitHelp(),
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newRunCommand(), newCheckCommand(), newProbeCommand(), newStatusCommand(), newExplainCommand(),
		newDrainCommand(), newUndrainCommand(), newLeadCommand(), newHandoverCommand(), newActiveCommand(), newHealthcheckCommand(), newClusterCommand(), newDemoCommand(), newDemoRelayCommand(), newVersionCommand())
	return root
}
