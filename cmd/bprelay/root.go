package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
	root.SetFlagErrorFunc(plainFlagError)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newRunCommand(), newCheckCommand(), newProbeCommand(), newStatusCommand(), newExplainCommand(),
		newDrainCommand(), newUndrainCommand(), newLeadCommand(), newHandoverCommand(), newActiveCommand(), newHealthcheckCommand(), newClusterCommand(), newDemoCommand(), newDemoRelayCommand(), newVersionCommand())
	return root
}

// plainFlagError says what a flag takes, without the words of the parser's.
func plainFlagError(_ *cobra.Command, err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	want := ""
	switch t := bad.GetFlag().Value.Type(); {
	case strings.HasPrefix(t, "uint"):
		want = "a whole number from 0 on"
	case strings.HasPrefix(t, "int"):
		want = "a whole number"
	case t == "duration":
		want = "a time with its unit, such as 30s or 1m30s"
	default:
		return err
	}
	return fmt.Errorf("--%s takes %s, not %q", bad.GetFlag().Name, want, bad.GetValue())
}
