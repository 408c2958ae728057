package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bprelay/relay/admin"
)

// healthTimeout bounds a check: who does not answer by then is not well.
const healthTimeout = 3 * time.Second

func newHealthcheckCommand() *cobra.Command {
	var path, address string
	var ready bool
	c := &cobra.Command{
		Use:   "healthcheck",
		Short: "Tell by the exit code whether this relay is well",
		Long: "Asks a running relay whether its event loop answers, or with --ready whether it can do its job now, and\n" +
			"says what is missing. The exit code is 0 if nothing is, else 1: made for a container's HEALTHCHECK, in\n" +
			"an image that has no other program. A witness, which has no admin server, is found by its configuration,\n" +
			"and is well if it takes connections of other members.",
		Example: "  bprelay healthcheck -c bprelay.yaml\n  bprelay healthcheck --ready --admin localhost:8765",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), healthTimeout)
			defer cancel()
			if path != "" && address == "" {
				cfg, _, err := load(path)
				if err != nil {
					return err
				}
				if cfg.Cluster.Witness() {
					return failed(knock(ctx, reachable(cfg.Cluster.ListenLink)))
				}
			}
			address, err := adminAddress(path, address)
			if err != nil {
				return err
			}
			missing, err := admin.AskHealth(ctx, address, ready)
			if err != nil {
				return failed(fmt.Errorf("ask the relay at %s: %w", address, err))
			}
			if len(missing) > 0 {
				return failed(errors.New(strings.Join(missing, "; ")))
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), "healthy")
			return failed(err)
		},
	}
	configFlag(c, &path)
	adminFlag(c, &address)
	c.Flags().BoolVar(&ready, "ready", false, "ask whether it can do its job now: it has nodes, peers, and recent blocks")
	return c
}

// knock sees whether a listener takes a connection.
func knock(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("the witness takes no connection: %w", err)
	}
	conn.Close()
	return nil
}
