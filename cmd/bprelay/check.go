package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bprelay/config"
)

func newCheckCommand() *cobra.Command {
	var path string
	var example bool
	c := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Check a configuration and print what nodeos needs to go with it",
		Long: "Checks a configuration file, environment overrides and the files it names included, and prints for\n" +
			"each node the lines its nodeos config.ini needs, how nodes will take over from each other, and what\n" +
			"the cluster's settings mean.\n" +
			"Nothing is connected to. Every error names the line, the key, and what would be right.",
		Example: "  bprelay check --example > bprelay.yaml\n  bprelay check -c bprelay.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if example {
				_, err := c.OutOrStdout().Write(config.Example())
				return failed(err)
			}
			cfg, warnings, err := load(path)
			for _, w := range warnings {
				fmt.Fprintf(c.ErrOrStderr(), "warning: %s\n", w)
			}
			if err != nil {
				return err
			}
			me, err := checkCredentials(&cfg.Cluster)
			if err != nil {
				return misused(err)
			}
			cluster, err := clusterLines(cfg, me, time.Now())
			if err != nil {
				return misused(err)
			}
			fmt.Fprintf(c.ErrOrStderr(), "%s is valid\n%s\n%s\n%s\n", path, journalText(cfg), takeoverText(cfg), cluster)
			_, err = fmt.Fprint(c.OutOrStdout(), nodeosText(cfg))
			return failed(err)
		},
	}
	configFlag(c, &path)
	c.Flags().BoolVar(&example, "example", false, "print a commented example file instead")
	return c
}

// journalText says what a restart will cost.
func journalText(cfg *config.Config) string {
	if cfg.StateDir == "" {
		return fmt.Sprintf("no state_dir: after every start, slots up to %s ahead are closed unless a block extends the network's head", cfg.StartFence)
	}
	return fmt.Sprintf("claim journal: %s (%s)", cfg.StateDir, cfg.Journal)
}

// takeoverText says how nodes will take over from each other, and what that rests on.
func takeoverText(cfg *config.Config) string {
	if cfg.Cluster.Witness() {
		return "takeover: none, a witness has no nodes"
	}
	var producing, apis, finalizers int
	for i := range cfg.Nodes {
		n := &cfg.Nodes[i]
		switch {
		case n.Role == config.RoleFinalizer:
			finalizers++
		case n.Produces():
			producing++
			if n.API != "" {
				apis++
			}
		}
	}
	var text string
	switch cfg.Takeover {
	case config.TakeoverRace:
		text = "takeover: race, all nodes produce; a node that dies within our round loses the rest of it"
	case config.TakeoverLeash:
		text = "takeover: leash, the held nodes pause for want of votes; on a Savanna chain only, with at least two foreign finalizers' votes"
	case config.TakeoverAPI:
		text = "takeover: api, the held nodes are paused by their producer API; on any chain"
	default:
		otherwise := "race (give the producing nodes nodes[].api to have api instead)"
		if apis == producing {
			otherwise = "api (all producing nodes have one)"
		}
		text = "takeover: auto, decided at run time: leash if the chain is Savanna, at least two foreign finalizers are heard, the nodes are seen to pause, " +
			"and our rounds are further apart than a node needs for that (about vote_timeout + 1.4s); else " + otherwise + "; bprelay status says which, and why"
		if producing < 2 {
			text = "takeover: auto, without effect: only one node produces, and nobody can take over from it"
		}
	}
	text += votesText(cfg)
	if cfg.Takeover != config.TakeoverRace && producing > 1 && finalizers == 0 {
		text += "\nrecommended: producers with the block signing key only, and a separate node of role finalizer, whose votes reach whoever leads"
	}
	return text
}

// votesText says what network peers that give no votes do to our nodes.
func votesText(cfg *config.Config) string {
	var ask []string
	for _, p := range cfg.Network.Peers {
		ask = append(ask, "bprelay probe "+p.Dial)
	}
	if len(ask) == 0 {
		ask = []string{"bprelay probe HOST:PORT"}
	}
	return fmt.Sprintf("\nvotes: on a Savanna chain all our nodes stop about %s after the last vote from the network, in every mode. Peers without producer-name or "+
		"vote-threads give none; look at each: %s", cfg.VoteTimeout+time.Second, strings.Join(ask, "; "))
}

// nodeosText shows the nodes' settings, one section for each.
func nodeosText(cfg *config.Config) string {
	var b strings.Builder
	for i, n := range cfg.NodeosLines() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "# ---- config.ini of %s ----\n%s\n", n.Node, strings.Join(n.Lines, "\n"))
	}
	return b.String()
}
