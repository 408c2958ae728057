package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bprelay/cmd/bprelay/probe"
	"bprelay/p2pwire"
)

func newProbeCommand() *cobra.Command {
	var o probe.Options
	var chain string
	var asJSON bool
	c := &cobra.Command{
		Use:   "probe HOST:PORT",
		Short: "Look at a p2p peer: chain, version, head, clock, latency, and whether blocks and votes flow",
		Long: "Connects to a nodeos p2p port as a relay would, listens for a while, and says in words what is\n" +
			"wrong. Without --chain-id it takes up to 10 s until the peer names its chain.",
		Example: "  bprelay probe peer.example.com:9876\n  bprelay probe 10.0.0.11:9876 --chain-id aca376f2... --listen-for 30s --json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("give one HOST:PORT to probe")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			o.Address = args[0]
			if chain != "" {
				id, err := p2pwire.ParseID(chain)
				if err != nil {
					return misused(fmt.Errorf("--chain-id: %w", err))
				}
				o.ChainID = id
			}
			report, err := probe.Run(c.Context(), o)
			if err != nil {
				return notRun(err, probe.ErrOptions)
			}
			return show(c, report, asJSON, report.Healthy, exitProbe)
		},
	}
	c.Flags().StringVar(&chain, "chain-id", "", "chain the peer should be on, 64 hex digits; if not given, it is learned")
	c.Flags().DurationVar(&o.Timeout, "timeout", 15*time.Second, "time for connecting and the handshakes")
	c.Flags().DurationVar(&o.ListenFor, "listen-for", 5*time.Second, "time to count blocks, votes and transactions; 0: do not")
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return c
}
