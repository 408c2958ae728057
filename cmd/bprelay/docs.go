package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate go test -run TestDocs -update .

// commandsDoc is COMMANDS.md.
func commandsDoc() string {
	var b strings.Builder
	b.WriteString("# Commands\n\n")
	b.WriteString("Generated from the command definitions (`go generate ./cmd/bprelay`); a test fails when it drifts.\n")
	for _, c := range newRootCommand().Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		commandDoc(&b, c)
		for _, sub := range c.Commands() {
			commandDoc(&b, sub)
		}
	}
	b.WriteString("\n## Exit codes\n\n" + exitTable())
	return b.String()
}

func commandDoc(b *strings.Builder, c *cobra.Command) {
	name := strings.TrimPrefix(c.CommandPath(), "bprelay ")
	in := strings.TrimSuffix(name, c.Name())
	fmt.Fprintf(b, "\n## %s\n\n```\nbprelay %s%s\n```\n\n", name, in, c.Use)
	if c.Long != "" {
		b.WriteString(c.Long + "\n")
	} else {
		b.WriteString(c.Short + ".\n")
	}
	if c.Example != "" {
		b.WriteString("\n```\n" + c.Example + "\n```\n")
	}
	if !c.HasLocalFlags() {
		return
	}
	b.WriteString("\n| flag | default | meaning |\n| --- | --- | --- |\n")
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		def := f.DefValue
		if def != "" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, def, f.Usage)
	})
}

// exitTable is the table of exit codes, as it stands in README.md too.
func exitTable() string {
	var b strings.Builder
	b.WriteString("| code | meaning |\n| --- | --- |\n")
	for _, e := range exitMeanings {
		fmt.Fprintf(&b, "| %d | %s |\n", e.code, e.meaning)
	}
	return b.String()
}
