package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// A journal has what this relay meant to let out; in a cluster that is no claim before the others said so.
func TestRestoredClaimOfAClusterIsNotDecided(t *testing.T) {
	head := lastPublic()
	x, y := ourBlocks(head, 1, 1)[0], ourBlocks(head, 1, 2)[0]
	al := &allies{}
	r := newRig(t, -200*time.Millisecond, func(c *core.Config) {
		c.Cluster = al
		c.Restored = core.Restored{
			Complete: true, Fences: map[p2pwire.Name]p2pwire.Slot{ourName: base - 100},
			Claims: []core.Claim{claimOf(x)}, // written; killed before the other relay, or the majority, had it
		}
	})
	n := r.open(core.Network, "net1")
	n.handshake(makeBlock(genesis(100), base-9, otherName), head)
	n.send(head.frame)
	r.run(150 * time.Millisecond)
	n.clear()
	r.node("a", head).send(x.frame)
	if got := n.blocks(); len(got) > 0 {
		t.Errorf("a standby let out %v, which nobody in the cluster has claimed", got[0].Short())
	}
	n.clear()
	if _, err := r.c.Adopt(r.now, claimOf(y)); err != nil {
		t.Error("the cluster's claim: ", err)
	}
	r.node("b", head).send(y.frame)
	n.want(y)
}

// notary is a cluster with a journal beside it: it notes what it is asked and told.
type notary struct {
	slowClaims
	recorded []core.Claim
}

func (k *notary) Record(_ core.Instant, cl core.Claim) { k.recorded = append(k.recorded, cl) }

// reborn is a relay of a cluster that starts in our round with a journal.
func reborn(t *testing.T, claimed, agreed []blk) (al *allies, k *notary, r *rig, n *peer, head blk) {
	head = lastPublic()
	al, k = &allies{}, &notary{}
	r = newRig(t, -200*time.Millisecond, func(c *core.Config) {
		c.Cluster, c.Claimer = al, k
		c.Restored.Complete = true
		c.Restored.Fences = map[p2pwire.Name]p2pwire.Slot{ourName: base - 100}
		for _, b := range append(claimed, agreed...) {
			c.Restored.Claims = append(c.Restored.Claims, claimOf(b))
		}
		for _, b := range agreed {
			c.Restored.Agreed = append(c.Restored.Agreed, claimOf(b))
		}
	})
	k.r = r
	n = r.open(core.Network, "net1")
	n.handshake(makeBlock(genesis(100), base-9, otherName), head)
	n.send(head.frame)
	r.run(150 * time.Millisecond)
	n.clear()
	return al, k, r, n, head
}

// The cluster's word takes the place of what only the journal has: what came before it was kept, what is
// built on it goes on, and the journal is told.
func TestClusterOverrulesTheJournal(t *testing.T) {
	xs, ys := ourBlocks(lastPublic(), 3, 1), ourBlocks(lastPublic(), 3, 2)
	_, k, r, n, head := reborn(t, xs[:1], nil)
	a, b := r.node("a", head), r.node("b", head)
	a.send(xs[0].frame)
	b.send(ys[0].frame, ys[1].frame)
	n.want()
	if r.event(core.EventHeld, core.ReasonSlotInDoubt) == nil {
		t.Error("y does not wait for the cluster's word")
	}
	r.adopt(ys[0])
	r.adopt(ys[1])
	n.want(ys[0], ys[1])
	if got := r.withheld(core.ReasonSlotTaken); got != 1 {
		t.Errorf("%d withheld as slot_taken, want x", got)
	}
	if len(k.recorded) != 2 || k.recorded[0] != claimOf(ys[0]) {
		t.Errorf("the journal was told %v", k.recorded)
	}
	if r.event(core.EventAlarm, core.ReasonDoubleClaim) != nil {
		t.Error("double_claim over a block that never left")
	}
	// As the active it goes on there.
	r.c.SetClusterRole(r.now, core.ClusterActive, 2, core.ReasonActiveStart)
	a.send(xs[1].frame)
	b.send(ys[2].frame)
	k.decide(core.Approved)
	n.want(ys[0], ys[1], ys[2])
}

// What the network shows was let out by the other relay, whose claim is on its way.
func TestNetworkOverrulesTheJournal(t *testing.T) {
	xs := ourBlocksOf(lastPublic(savanna(90)), savanna(99), mark(1))
	ys := ourBlocksOf(lastPublic(savanna(90)), savanna(99), mark(2))
	al, k := &allies{}, &notary{}
	r := newRig(t, -200*time.Millisecond, func(c *core.Config) {
		c.Cluster, c.Claimer = al, k
		c.Producers[0].Keys = []p2pwire.PublicKey{ourKey.Public()}
		c.Restored = core.Restored{Complete: true, Fences: map[p2pwire.Name]p2pwire.Slot{ourName: base - 100}, Claims: []core.Claim{claimOf(xs[0])}}
	})
	k.r = r
	head := lastPublic(savanna(90))
	n := r.network("net1", head)
	n2 := r.network("net2", head)
	n.send(ys[0].frame)
	n2.clear()
	a := r.node("a", head)
	a.send(xs[0].frame)
	r.c.SetClusterRole(r.now, core.ClusterActive, 2, core.ReasonActiveStart)
	r.pump()
	r.run(time.Second)
	n.want()
	if _, err := r.c.Adopt(r.now, claimOf(ys[0])); err != nil {
		t.Error(err)
	}
	if len(k.waiting) > 0 {
		t.Errorf("asked for %v", k.waiting)
	}
	if len(k.told) != 1 || k.told[0].ID != ys[0].id {
		t.Errorf("the journal was told %v", k.told)
	}
}

// An active that had its claim agreed and died before it wrote: the block goes out by the other relay's word,
// or when this one is active again and asks; no other takes its place.
func TestRestartedActiveWithAnAgreedClaim(t *testing.T) {
	xs, ys := ourBlocks(lastPublic(), 3, 1), ourBlocks(lastPublic(), 2, 2)
	t.Run("the other relay tells", func(t *testing.T) {
		_, k, r, n, head := reborn(t, nil, xs[:2])
		a := r.node("a", head)
		a.send(xs[0].frame, xs[1].frame)
		n.want()
		r.adopt(xs[0])
		n.want(xs[0])
		r.adopt(xs[1])
		n.want(xs[0], xs[1])
		if len(k.recorded) > 0 {
			t.Errorf("the journal knows: %v", k.recorded)
		}
	})
	t.Run("active again", func(t *testing.T) {
		al, k, r, n, head := reborn(t, nil, xs[:2])
		a, b := r.node("a", head), r.node("b", head)
		b.send(ys[0].frame)
		if got := r.withheld(core.ReasonSlotTaken); got != 1 {
			t.Errorf("%d withheld as slot_taken, want y", got)
		}
		a.send(xs[0].frame, xs[1].frame)
		if len(al.candidates) != 1 || al.candidates[0] != claimOf(xs[0]) {
			t.Errorf("candidates %v", al.candidates)
		}
		r.c.SetClusterRole(r.now, core.ClusterActive, 2, core.ReasonActiveStart)
		r.pump()
		n.want()
		k.decide(core.Approved)
		n.want(xs[0])
		k.decide(core.Denied) // which a cluster that agreed does not do
		n.want(xs[0])
	})
	t.Run("the cluster says otherwise", func(t *testing.T) {
		_, _, r, n, head := reborn(t, nil, xs[:1])
		r.node("b", head).send(ys[0].frame)
		if _, err := r.c.Adopt(r.now, claimOf(ys[0])); err == nil {
			t.Error("adopted another block than the one agreed")
		}
		n.want()
		if r.event(core.EventAlarm, core.ReasonDoubleClaim) == nil {
			t.Error("no alarm")
		}
	})
	t.Run("the network shows it", func(t *testing.T) {
		al, k, r, n, head := reborn(t, xs[:1], nil)
		n2 := r.network("net2", head)
		n2.clear()
		a := r.node("a", head)
		n.send(xs[0].frame)
		r.run(150 * time.Millisecond) // the node survives it
		if len(k.recorded) != 1 || len(k.told) != 0 || len(al.echoes) == 0 {
			t.Errorf("recorded %v, told %v, echoes %v", k.recorded, k.told, al.echoes)
		}
		a.send(xs[1].frame)
		r.adopt(xs[1])
		n2.want(xs[0], xs[1])
	})
}

// A block that only the journal has ends the lineage here for the time being: what does not build on it is
// kept until it is known which block has the slot.
func TestLineageInDoubt(t *testing.T) {
	x := ourBlocks(lastPublic(), 1, 1)[0]
	for _, mine := range []bool{false, true} {
		_, _, r, n, head := reborn(t, []blk{x}, nil)
		skip := makeBlock(head, base+1, ourName, mark(5))
		r.node("b", head).send(skip.frame)
		n.want()
		if r.event(core.EventHeld, core.ReasonSlotInDoubt) == nil {
			t.Error("it does not wait")
		}
		if mine {
			r.adopt(x)
			if r.withheld(core.ReasonNotLineage) != 1 {
				t.Error("still waiting")
			}
			n.want()
			continue
		}
		r.adopt(skip)
		n.want(skip)
	}
}

// Standalone, after a cluster, there is nobody to ask: the journal is the last word.
func TestRestoredClaimsStandalone(t *testing.T) {
	xs := ourBlocks(lastPublic(), 2, 1)
	r, n, head := restart(t, time.Second, true, xs[:1])
	a := r.node("a", head)
	a.send(xs[0].frame)
	n.want(xs[0])
}
