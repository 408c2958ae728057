package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"bprelay/p2pwire"
	"bprelay/relay/admin"
	"bprelay/relay/core"
)

func newExplainCommand() *cobra.Command {
	var path, address string
	var slot, num uint32
	var last int
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain --slot N | --block NUM | --last [N]",
		Short: "Tell what happened with our slots, and why",
		Long: "Asks a running relay what it knows of one of our slots, of the blocks with a number, or of our last\n" +
			"slots, and says it in words: what became of the slot, what each node did, and what to do. Of several\n" +
			"slots those that went well get one line each. The relay is found by --admin, by the configuration's\n" +
			"admin.listen, or at its default. A relay keeps its last 1024 own slots, since its start.",
		Example: "  bprelay explain --last\n  bprelay explain --last 24 -c bprelay.yaml\n  bprelay explain --slot 1700000008 --admin 127.0.0.1:8765 --json",
		RunE: func(c *cobra.Command, args []string) error {
			q, err := slotQuery(c, args, slot, num, last)
			if err != nil {
				return err
			}
			address, err := adminAddress(path, address)
			if err != nil {
				return err
			}
			report, err := admin.AskSlots(c.Context(), address, q)
			if err != nil {
				return failed(fmt.Errorf("ask the relay at %s: %w", address, err))
			}
			return show(c, slotsText{q, report}, asJSON, len(report.Slots) > 0 || q.Last > 0, exitFailure)
		},
	}
	configFlag(c, &path)
	adminFlag(c, &address)
	c.Flags().Uint32Var(&slot, "slot", 0, "explain this slot")
	c.Flags().Uint32Var(&num, "block", 0, "explain the slots with a block of this number")
	c.Flags().IntVar(&last, "last", p2pwire.RoundSlots, fmt.Sprintf("explain the last N of our slots, at most %d", admin.MaxLast))
	c.Flags().Lookup("last").NoOptDefVal = strconv.Itoa(p2pwire.RoundSlots)
	c.Flags().BoolVar(&asJSON, "json", false, "print the records as JSON, as /slots gives them")
	c.MarkFlagsMutuallyExclusive("slot", "block", "last")
	return c
}

// slotQuery is what the command line asks for. The number after --last is optional, so that it comes
// as an argument.
func slotQuery(c *cobra.Command, args []string, slot, num uint32, last int) (core.SlotQuery, error) {
	flags := c.Flags()
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if !flags.Changed("last") || len(args) > 1 || err != nil {
			return core.SlotQuery{}, fmt.Errorf("unexpected argument %q", args[0])
		}
		last = n
	}
	switch {
	case flags.Changed("slot") && slot == 0, flags.Changed("block") && num == 0:
		return core.SlotQuery{}, errors.New("--slot and --block take a number above 0")
	case slot != 0:
		return core.SlotQuery{Slot: p2pwire.Slot(slot)}, nil
	case num != 0:
		return core.SlotQuery{Num: num}, nil
	case last < 1 || last > admin.MaxLast:
		return core.SlotQuery{}, fmt.Errorf("--last takes a number from 1 to %d", admin.MaxLast)
	}
	return core.SlotQuery{Last: last}, nil
}
