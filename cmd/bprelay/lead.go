package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bprelay/relay/admin"
	"bprelay/relay/core"
)

func newDrainCommand() *cobra.Command {
	return tellCommand(admin.Drain, &cobra.Command{
		Use:   "drain NODE",
		Short: "Keep a node from leading, so that it can be stopped at no cost",
		Long: "Tells a running relay that a node is going to be stopped: another one leads from then on, from the\n" +
			"next time that we are not producing, and the node is held. Wait until `status` says so, then stop it.\n" +
			"It is refused, with the reason, if that would cost blocks or votes; --force does it at once all the\n" +
			"same. A drain holds until `undrain`, or until the relay is restarted.",
		Example: "  bprelay drain node-a\n  bprelay drain node-a --force -c bprelay.yaml",
	})
}

func newUndrainCommand() *cobra.Command {
	return tellCommand(admin.Undrain, &cobra.Command{
		Use:   "undrain NODE",
		Short: "Let a drained node lead again",
		Long:  "Ends a drain. The node is held, and may lead when it is its turn.",
	})
}

func newLeadCommand() *cobra.Command {
	return tellCommand(admin.Lead, &cobra.Command{
		Use:   "lead NODE",
		Short: "Make a node lead",
		Long: "Tells a running relay which node is to lead, from the next time that we are not producing. It is\n" +
			"refused, with the reason, if that would cost blocks; --force does it at once all the same.",
	})
}

// tellCommand makes a command line of a command to a running relay.
func tellCommand(what admin.Command, c *cobra.Command) *cobra.Command {
	var path, address string
	var force bool
	c.Args = cobra.ExactArgs(1)
	c.Long += " The relay\nis found by --admin, by the configuration's admin.listen, or at its default."
	c.RunE = func(c *cobra.Command, args []string) error {
		address, err := adminAddress(path, address)
		if err != nil {
			return err
		}
		node := args[0]
		if err := admin.Tell(c.Context(), address, what, node, force); err != nil {
			return failed(notTold(what, node, address, err))
		}
		st, err := admin.AskStatus(c.Context(), address)
		if err != nil {
			return failed(fmt.Errorf("%s %s: done, but ask the relay at %s what came of it: %w", what, node, address, err))
		}
		return failed(writeOutcome(c.OutOrStdout(), what, node, &st.Takeover))
	}
	configFlag(c, &path)
	adminFlag(c, &address)
	if what != admin.Undrain {
		c.Flags().BoolVar(&force, "force", false, "do it now, whatever it costs")
	}
	return c
}

// adminFlag adds the flag that says where the relay is.
func adminFlag(c *cobra.Command, address *string) {
	c.Flags().StringVar(address, "admin", "", "HOST:PORT of the relay's admin server")
}

// notTold words a command that was not carried out.
func notTold(what admin.Command, node, address string, err error) error {
	var refusal *admin.Refusal
	if !errors.As(err, &refusal) {
		return fmt.Errorf("tell the relay at %s: %w", address, err)
	}
	insist := ""
	if refusal.Code == admin.CodeUnsafe {
		insist = " (--force does it all the same)"
	}
	return fmt.Errorf("%s %s: refused: %w%s", what, node, err, insist)
}

// writeOutcome says how things stand after a command: it may take effect only when our round is over.
func writeOutcome(w io.Writer, what admin.Command, node string, t *core.TakeoverStatus) error {
	text := "taken"
	switch {
	case what == admin.Drain && t.Lead == node:
		text = "taken; it still leads, and another node will when we are not producing: see bprelay status"
	case what == admin.Lead && t.Lead != node:
		text = "taken; it will lead when we are not producing: see bprelay status"
	}
	if _, err := fmt.Fprintf(w, "%s %s: %s\n", what, node, text); err != nil {
		return err
	}
	return writeNodes(w, t)
}
