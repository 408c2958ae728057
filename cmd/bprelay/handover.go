package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bprelay/ha/record"
	"bprelay/relay/admin"
	"bprelay/relay/core"
)

// handoverWait bounds how long handover waits for the end of our run, and a little more.
const handoverWait = 40 * time.Second

func newHandoverCommand() *cobra.Command {
	var path, address, to string
	var now bool
	c := &cobra.Command{
		Use:   "handover",
		Short: "Make another relay of the cluster active",
		Long: "Tells the active relay to hand over to a standby, as soon as we are not producing, and waits until it\n" +
			"has. It loses nothing, and is refused, with the reason, if there is no standby that could take over.\n" +
			"In a quorum, --to says to which one, and any relay may be asked then.\n" +
			"The relay is found by --admin, by the configuration's admin.listen, or at its default.",
		Example: "  bprelay handover\n  bprelay handover --now -c bprelay.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			address, err := adminAddress(path, address)
			if err != nil {
				return err
			}
			pending, err := admin.TellHandover(c.Context(), address, to, now)
			var refusal *admin.Refusal
			switch {
			case errors.As(err, &refusal):
				return failed(fmt.Errorf("handover: refused: %w", err))
			case err != nil:
				return failed(fmt.Errorf("tell the relay at %s: %w", address, err))
			}
			if pending {
				if err := awaitHandover(c.Context(), address, to); err != nil {
					return failed(err)
				}
			}
			if to == "" {
				to = "another one"
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "handover: done, the active relay is %s\n", to)
			return failed(err)
		},
	}
	configFlag(c, &path)
	adminFlag(c, &address)
	c.Flags().StringVar(&to, "to", "", "name of the relay that is to become active; any, if not given")
	c.Flags().BoolVar(&now, "now", false, "do it at once, even while we are producing")
	return c
}

// awaitHandover asks until the relay is active no more, or, if it is to become that, until it is. That nobody is
// active for a moment, for want of a majority, is no handover.
func awaitHandover(ctx context.Context, address, to string) error {
	ctx, cancel := context.WithTimeout(ctx, handoverWait)
	defer cancel()
	for {
		a, err := admin.AskActive(ctx, address)
		if err == nil && !a.Active && to == "" && a.Reason != core.ReasonActiveNoMajority {
			return nil
		}
		if done, err := activeIs(ctx, address, to); err == nil && done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("handover: not seen at %s after %s", address, handoverWait)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// activeIs tells whether a member is active, by what the relay at address knows of it.
func activeIs(ctx context.Context, address, name string) (bool, error) {
	var view record.View
	if _, err := admin.AskCluster(ctx, address, &view); err != nil || name == "" {
		return false, err
	}
	for _, e := range view.Members {
		if r := e.Record; r != nil && e.Member == name {
			return r.Status.Role == core.ClusterActive.String(), nil
		}
	}
	return false, nil
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
