package sim

import (
	"testing"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

func TestLeash(t *testing.T) {
	t.Parallel()
	sc := LeadScenario{Seed: 1, Mode: simnet.Savanna, Takeover: core.TakeoverAuto, Nodes: 2, Trx: 250 * time.Millisecond, Log: t.Logf}
	sc.Faults = []LeadFault{{After: 1900 * time.Millisecond, Kind: LeadKill}}
	o := PlayLead(sc)
	t.Logf("%+v", o.Report)
	t.Logf("lost %v later %d siblings %d forks %d", o.Lost, o.LostLater, o.Siblings, o.Forks)
	t.Logf("%+v", o.Status.Takeover)
}
