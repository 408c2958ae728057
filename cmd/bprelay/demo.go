package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"bprelay/cmd/bprelay/demo"
)

func newDemoCommand() *cobra.Command {
	var o demo.Options
	var asJSON bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a simulated network, our nodes and a real relay or more, and kill nodes or relays",
		Long: "Starts simulated producers, our producer on several simulated nodes behind a real relay, and an\n" +
			"observer, over loopback TCP; transactions flow, nodes are killed and come back. Shows each slot, who\n" +
			"leads and who is held, and ends with a summary counted from the raw bytes the observer received.\n" +
			"Interrupting it ends it early, with the summary.\n\n" +
			"With a lead (leash, api, auto) the network has two other producers, and a node of its own votes for ours;\n" +
			"nobody dies before the relay knows the schedule and another node could take over. In race it has\n" +
			"three, and our nodes vote themselves.\n\n" +
			"With --relays 2 the relay is a pair, two processes of this program with credentials and configuration\n" +
			"files as run would take them; with --mode quorum there is a witness as well, and with --relays 3 a third\n" +
			"relay in its place. --kill relay ends the active one (kill -9) in our rounds. takeover_ms in\n" +
			"the summary is from when the block that the network then lacked was due, or from the kill if that came\n" +
			"later, until the network had our next block; slots_late counts blocks that came behind their timestamp.",
		Example: "  bprelay demo\n  bprelay demo --relays 2 --kill relay\n  bprelay demo --mode quorum --kill relay\n  bprelay demo --duration 40s --kill leader --seed 1 --json\n  bprelay demo --takeover race",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !c.Flags().Changed("relays") {
				o.Relays = 0 // what fits the mode
			}
			if !c.Flags().Changed("takeover") {
				o.Takeover = "" // what fits the chain and the number of nodes
			}
			self, err := os.Executable()
			if err != nil {
				return failed(fmt.Errorf("find this program: %w", err))
			}
			o.RelayCommand = []string{self, demoRelay, "-c"}
			o.View = c.OutOrStdout()
			if asJSON {
				o.View = c.ErrOrStderr()
			}
			o.Terminal = isTerminal(o.View)
			summary, err := demo.Run(c.Context(), o)
			if err != nil {
				return notRun(err, demo.ErrOptions)
			}
			return show(c, summary, asJSON, summary.OK, exitDemo)
		},
	}
	c.Flags().DurationVar(&o.Duration, "duration", time.Minute, "how long it runs; our first round begins after 9 to 16 s, the next ones 18 s apart (race: 4 to 10 s, 24 s apart)")
	c.Flags().IntVar(&o.Nodes, "nodes", 3, "number of our nodes that produce")
	c.Flags().IntVar(&o.Relays, "relays", 1, "number of relays: 1, or 2 or 3, of which one takes over from another; not given with --mode: 2")
	c.Flags().StringVar(&o.Mode, "mode", "", "how several relays act as one: pair (2), quorum (2 and a witness, or 3); what fits their number, if not given")
	c.Flags().StringVar(&o.Preset, "preset", "", "how far apart several relays believe to be: local, lan, wan; it decides how soon a dead one is found out; local for a pair, lan for a quorum, if not given")
	c.Flags().StringVar(&o.Takeover, "takeover", "leash", "how one node takes over from another: race, leash, api, auto; on a legacy chain or with one node race, if not given")
	c.Flags().StringVar((*string)(&o.Kill), "kill", string(demo.KillLeader), "which of our producing nodes is killed now and then: none, leader, random; with several relays also relay, the active one, or both, it and the leader")
	c.Flags().StringVar(&o.Chain, "chain", "savanna", "consensus of the chain: savanna, legacy")
	c.Flags().Uint64Var(&o.Seed, "seed", 0, "seed of keys, kills and transactions; 0: draw one, and show it")
	c.Flags().StringVar(&o.Admin, "admin", "", "HOST:PORT for the relay's admin server, so that explain and curl can ask it; none if empty. Of several relays the first one's; the view shows all")
	c.Flags().StringVar(&o.Dir, "dir", "", "directory in which several relays leave their configuration, credentials, state and logs; a temporary one if empty")
	c.Flags().BoolVar(&asJSON, "json", false, "print the summary as one JSON object, and the view to stderr")
	return c
}

// demoRelay is the command that the demo runs each of several members with.
const demoRelay = "demo-relay"

// newDemoRelayCommand is run with a watcher: it reports to the demo on stdout, and ends when stdin does, so
// that no relay outlives it.
func newDemoRelayCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:    demoRelay + " -c FILE",
		Short:  "Run a relay for the demo",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, _, err := load(path)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(c.Context())
			defer cancel()
			go func() {
				_, _ = io.Copy(io.Discard, c.InOrStdin()) // however it ends, it has ended
				cancel()
			}()
			r := demo.NewReporter(c.OutOrStdout())
			defer r.Close()
			return run(ctx, cfg, newLogger(&cfg.Log, c.ErrOrStderr()), r)
		},
	}
	configFlag(c, &path)
	return c
}

// isTerminal tells whether control sequences can be written to w. Another character device than a
// terminal does not mind them.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
