package sim

import (
	"testing"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// The lead's container goes away with its network: the kernel closes its connections, and dialling it
// hangs for 3 s (EHOSTUNREACH), as it does with docker and kubernetes. Without a finalizer node, votes that
// come while no lead is connected have nobody to be tried on and are thrown away; the reserve grows stale.
// Deaths before our run are to cost nothing; this one costs more.
func TestLeadThatVanishesBeforeOurRun(t *testing.T) {
	t.Parallel()
	for after := -2200 * time.Millisecond; after <= -400*time.Millisecond; after += 600 * time.Millisecond {
		sc := LeadScenario{Seed: 1, Mode: simnet.Savanna, Takeover: core.TakeoverLeash, Nodes: 2, OwnKeys: true, Trx: 250 * time.Millisecond}
		sc.Faults = []LeadFault{{After: after, Kind: LeadCut}, {After: after + time.Millisecond, Kind: LeadReset}}
		if o := PlayLead(sc); len(o.Lost) > 0 {
			t.Errorf("gone at %v (slot 0 is due at 462 ms): lost %v", after, o.Lost)
		}
	}
}

// The lead is killed up to 1.4 s before our run's first slot is due, while the newest block is on trial at it
// (it is the only node that is not held). The trial moves to the held node before that is released: it gets
// the block it was kept behind first, looks while it is still paused, and then gets votes for a block that
// is irreversible to it by then. Slot 0 is lost, which a death before the run is not to cost.
func TestLeadThatDiesWithABlockOnTrialBeforeOurRun(t *testing.T) {
	t.Parallel()
	for after := -970 * time.Millisecond; after <= -790*time.Millisecond; after += 40 * time.Millisecond {
		sc := LeadScenario{Seed: 7, Mode: simnet.Savanna, Takeover: core.TakeoverLeash, Nodes: 2, OwnKeys: true, Trx: 250 * time.Millisecond}
		sc.Faults = []LeadFault{{After: after, Kind: LeadKill}}
		if o := PlayLead(sc); len(o.Lost) > 0 {
			t.Errorf("killed at %v (slot 0 is due at 462 ms): lost %v", after, o.Lost)
		}
	}
}
