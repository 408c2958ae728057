package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bprelay/config"
)

func newCheckCommand() *cobra.Command {
	var path string
	var example bool
	c := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Check a configuration and print what nodeos needs to go with it",
		Long: "Checks a configuration file, environment overrides and the peer key's file included, and prints\n" +
			"for each node the lines its nodeos config.ini needs. Nothing is connected to. Every error names\n" +
			"the line, the key, and what would be right.",
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
			fmt.Fprintf(c.ErrOrStderr(), "%s is valid\n%s\n", path, journalText(cfg))
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
