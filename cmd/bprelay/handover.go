package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bprelay/relay/admin"
	"bprelay/relay/core"
)

// handoverWait bounds how long handover waits for the end of our run, and a little more.
const handoverWait = 40 * time.Second

func newHandoverCommand() *cobra.Command {
	var path, address string
	var now bool
	c := &cobra.Command{
		Use:   "handover",
		Short: "Make the other relay of the cluster active",
		Long: "Tells the active relay to hand over to the standby, as soon as we are not producing, and waits until it\n" +
			"has. It loses nothing, and is refused, with the reason, if there is no standby that could take over.\n" +
			"The relay is found by --admin, by the configuration's admin.listen, or at its default.",
		Example: "  bprelay handover\n  bprelay handover --now -c bprelay.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			address, err := adminAddress(path, address)
			if err != nil {
				return err
			}
			pending, err := admin.TellHandover(c.Context(), address, now)
			var refusal *admin.Refusal
			switch {
			case errors.As(err, &refusal):
				return failed(fmt.Errorf("handover: refused: %w", err))
			case err != nil:
				return failed(fmt.Errorf("tell the relay at %s: %w", address, err))
			}
			if pending {
				if err := awaitHandover(c.Context(), address); err != nil {
					return failed(err)
				}
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "handover: done, the relay at %s is the standby\n", address)
			return failed(err)
		},
	}
	configFlag(c, &path)
	adminFlag(c, &address)
	c.Flags().BoolVar(&now, "now", false, "do it at once, even while we are producing")
	return c
}

// awaitHandover asks until the relay is active no more.
func awaitHandover(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, handoverWait)
	defer cancel()
	for {
		a, err := admin.AskActive(ctx, address)
		if err == nil && !a.Active {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("handover: the relay at %s is still active after %s", address, handoverWait)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func newActiveCommand() *cobra.Command {
	var path, address string
	c := &cobra.Command{
		Use:   "active",
		Short: "Tell by the exit code whether this relay is the active one",
		Long: "Asks a running relay for its role and prints it. The exit code is 0 if it lets blocks out, and 1 if it\n" +
			"is a standby or does not answer: made for keepalived's track_script and the like.",
		Example: "  bprelay active && echo \"this host has it\"",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			address, err := adminAddress(path, address)
			if err != nil {
				return err
			}
			a, err := admin.AskActive(c.Context(), address)
			if err != nil {
				return failed(fmt.Errorf("ask the relay at %s: %w", address, err))
			}
			text := a.Role.String()
			if a.Role != core.ClusterAlone {
				text = fmt.Sprintf("%s, epoch %d: %s", a.Role, a.Epoch, a.Reason.Help())
			}
			if _, err := fmt.Fprintln(c.OutOrStdout(), text); err != nil {
				return failed(err)
			}
			if !a.Active {
				return &exitError{code: exitFailure}
			}
			return nil
		},
	}
	configFlag(c, &path)
	adminFlag(c, &address)
	return c
}
