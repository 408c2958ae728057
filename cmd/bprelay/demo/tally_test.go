package demo

import (
	"bytes"
	"encoding/gob"
	"maps"
	"testing"

	"bprelay/relay/core"
)

// Both relays judge every block, and one is killed: each block counts once, and what a life counted stays.
func TestTally(t *testing.T) {
	c := newTally()
	told := func(relay string, kind core.EventKind, why core.Reason, num byte) {
		c.count(news{kind: decided, relay: relay, event: kind, reason: why, id: blockID(num, 1)})
	}
	c.becomes("relay1")
	for _, relay := range []string{"relay1", "relay2"} {
		told(relay, core.EventClaimed, core.ReasonClaimed, 1)
		told(relay, core.EventWithheld, core.ReasonSlotTaken, 2)
		told(relay, core.EventWithheld, core.ReasonSameID, 1)
	}
	told("relay2", core.EventWithheld, core.ReasonNotLineage, 3) // it went out all the same
	told("relay1", core.EventClaimed, core.ReasonClaimed, 3)
	told("relay1", core.EventAlarm, core.ReasonPairPeerLost, 0)
	told("relay2", core.EventBlamed, core.ReasonNone, 0)
	c.learn("relay1", core.TakeoverStatus{Releases: 1, LeadChanges: 2})
	c.died("relay1")
	c.becomes("relay2")
	c.becomes("relay2") // a new epoch
	c.learn("relay1", core.TakeoverStatus{Releases: 1})
	c.learn("relay1", core.TakeoverStatus{Releases: 2, LeadChanges: 3})
	c.learn("relay2", core.TakeoverStatus{LeadChanges: 4})
	var s Summary
	c.sum(&s)
	if s.Withheld != 1 || !maps.Equal(s.WithheldByReason, map[string]int{"slot_taken": 1}) || s.Identical != 1 || s.Blamed != 1 ||
		s.Alarms["pair_peer_lost"] != 1 || s.Releases != 3 || s.LeadChanges != 9 || s.Takeovers != 1 {
		t.Errorf("%+v", s)
	}
}

// What a relay's process reports arrives as it was, and only what the demo wants to know.
func TestReporter(t *testing.T) {
	var out bytes.Buffer
	r := NewReporter(&out)
	r.Started()
	r.Event(core.Instant{Wall: 7}, &core.Event{Kind: core.EventSessionUp})
	e := core.Event{
		Kind: core.EventRole, Reason: core.ReasonActiveStart, Node: "n", Producer: name(ours), Slot: 5, ID: blockID(9, 2),
		Detail: "d", Role: core.ClusterActive, Epoch: 3,
	}
	r.Event(core.Instant{Wall: 8}, &e)
	r.Close()
	from := gob.NewDecoder(&out)
	var started, role, more report
	if err := from.Decode(&started); err != nil || started != (report{}) {
		t.Errorf("%+v, %v", started, err)
	}
	want := news{
		kind: decided, relay: "relay2", wall: 8, node: "n", id: e.ID, slot: 5, producer: e.Producer, event: e.Kind, reason: e.Reason,
		detail: "d", role: e.Role, epoch: 3,
	}
	if err := from.Decode(&role); err != nil || role.news("relay2") != want {
		t.Errorf("%+v, %v", role, err)
	}
	if err := from.Decode(&more); err == nil {
		t.Errorf("one more: %+v", more)
	}
}
