package core_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// signer is one of the keys of these tests: K1 unless its name begins with "r1".
func signer(name string) interface {
	p2pwire.Signer
	Public() p2pwire.PublicKey
} {
	if strings.HasPrefix(name, "r1") {
		return p2pwire.R1PrivateFromSeed(name)
	}
	return p2pwire.K1PrivateFromSeed(name)
}

// by signs a block with keys, the last one's being the producer signature.
func by(names string) blockOption {
	return func(b *p2pwire.BlockBuilder) {
		b.Signer, b.CoSigners = nil, nil
		for _, n := range strings.Fields(names) {
			if n == "garbage" {
				b.Signer = garbage{}
				continue
			}
			if b.Signer != nil {
				b.CoSigners = append(b.CoSigners, b.Signer)
			}
			b.Signer = signer(n)
		}
	}
}

// garbage signs with bytes that lead to no key.
type garbage struct{}

func (garbage) Sign(p2pwire.ID) (sig [p2pwire.K1SigSize]byte) { return sig }

func publics(names string) (keys []p2pwire.PublicKey) {
	for _, n := range strings.Fields(names) {
		keys = append(keys, signer(n).Public())
	}
	return keys
}

// shownBlock is one block that a node shows. The first of a script is number 0.
type shownBlock struct {
	node string
	slot p2pwire.Slot
	by   string
	on   int           // the block it builds on, or head or nowhere
	mark byte          // blocks of one slot, parent and mark are the same but for the signature
	at   time.Duration // before the slot's timestamp; when it is due if 0
	out  []int         // the blocks the network has then
}

const head, nowhere = -1, -2

// round is a round of one node, all slots in order and at once out; from is its first number.
func round(node string, first p2pwire.Slot, by string, on, from int, out []int) (list []shownBlock) {
	for i := range p2pwire.Slot(12) {
		out = append(slices.Clone(out), from+int(i))
		list = append(list, shownBlock{node: node, slot: first + i, by: by, on: on, out: out})
		on = from + int(i)
	}
	return list
}

func numbers(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

func TestSignatures(t *testing.T) {
	and := func(lists ...[]shownBlock) []shownBlock { return slices.Concat(lists...) }
	for _, tt := range []struct {
		name      string
		keys      string
		authority p2pwire.Authority
		script    []shownBlock
		end       []int // what the network has got when all is over
		withheld  map[core.Reason]uint64
		alarms    uint64 // unknown_key
	}{
		{name: "configured key", keys: "old", script: round("a", 0, "old", head, 0, nil), end: numbers(12)},
		{name: "configured R1 key", keys: "r1", script: round("a", 0, "r1", head, 0, nil), end: numbers(12)},
		{name: "old and new configured: a change goes unnoticed", keys: "old r1new",
			script: and(round("a", 0, "old", head, 0, nil), round("a", 12, "r1new", 11, 12, numbers(12))), end: numbers(24)},
		{name: "no keys configured", script: []shownBlock{{node: "a", by: "garbage", on: head, out: []int{0}}}, end: []int{0}},
		{name: "garbage", keys: "old", script: []shownBlock{{node: "a", by: "garbage", on: head}},
			withheld: map[core.Reason]uint64{core.ReasonBadSignature: 1}},
		{name: "signed twice by one key", keys: "old", script: []shownBlock{{node: "a", by: "old old", on: head}},
			withheld: map[core.Reason]uint64{core.ReasonBadSignature: 1}},
		{name: "garbage takes no slot", keys: "old", script: []shownBlock{
			{node: "a", by: "garbage", on: head, mark: 1},
			{node: "b", by: "old", on: head, mark: 2, out: []int{1}},
		}, end: []int{1}, withheld: map[core.Reason]uint64{core.ReasonBadSignature: 1}},
		{name: "identical block, garbage first", keys: "old", script: []shownBlock{
			{node: "a", by: "garbage", on: head},
			{node: "b", by: "old", on: head, out: []int{1}},
		}, end: []int{1}, withheld: map[core.Reason]uint64{core.ReasonBadSignature: 1, core.ReasonSameID: 1}},

		{name: "authority reached", authority: authority(3, "old 2", "r1old 1", "third 1"), script: []shownBlock{
			{node: "a", by: "old r1old", on: head, out: []int{0}},
			{node: "a", slot: 1, by: "third old", on: 0, out: []int{0, 1}},
			{node: "a", slot: 2, by: "old r1old third", on: 1, out: []int{0, 1, 2}},
		}, end: numbers(3)},
		{name: "authority not reached, by the only node", authority: authority(3, "old 2", "r1old 1", "third 1"),
			script: []shownBlock{{node: "a", by: "r1old third", on: head, out: []int{0}}}, end: []int{0}, alarms: 1},
		{name: "a signature too many", authority: authority(3, "old 2", "r1old 1", "third 1"), script: []shownBlock{
			{node: "a", by: "old r1old", on: head, mark: 1, out: []int{0}},
			{node: "b", by: "old r1old extra", on: head, mark: 2, out: []int{0}},
		}, end: []int{0}, alarms: 1, withheld: map[core.Reason]uint64{core.ReasonSlotTaken: 1}},

		// Rotations: no slot is lost.
		{name: "rotation, one node", keys: "old",
			script: and(round("a", 0, "old", head, 0, nil), round("a", 12, "new", 11, 12, numbers(12))), end: numbers(24), alarms: 12},
		{name: "rotation to R1, nobody seen before", keys: "old", script: round("a", 0, "r1new", head, 0, nil), end: numbers(12), alarms: 12},
		{name: "rotation to an authority, one node", keys: "old",
			script: and(round("a", 0, "old", head, 0, nil), round("a", 12, "new r1new", 11, 12, numbers(12))), end: numbers(24), alarms: 12},
		{name: "rotation, two nodes", keys: "old", script: and(
			[]shownBlock{
				{node: "a", slot: 0, by: "old", on: head, mark: 1, out: []int{0}},
				{node: "b", slot: 0, by: "old", on: head, mark: 2, out: []int{0}},
				{node: "a", slot: 12, by: "new", on: 0, mark: 1, out: []int{0}},
				{node: "b", slot: 12, by: "new", on: 0, mark: 2, out: []int{0, 2}}, // first come, first served
				{node: "b", slot: 13, by: "new", on: 3, mark: 2, out: []int{0, 2}},
				{node: "a", slot: 13, by: "new", on: 2, mark: 1, out: []int{0, 2, 5}},
			}), end: []int{0, 2, 5}, alarms: 4, withheld: map[core.Reason]uint64{core.ReasonSlotTaken: 2, core.ReasonParentWithheld: 1}},
		{name: "rotation, two nodes, identical blocks", keys: "old", script: []shownBlock{
			{node: "a", slot: 0, by: "old", on: head, out: []int{0}},
			{node: "b", slot: 0, by: "old", on: head, out: []int{0}},
			{node: "a", slot: 12, by: "new", on: 0, out: []int{0}},
			{node: "b", slot: 12, by: "new", on: 0, out: []int{0, 2}},
			{node: "b", slot: 13, by: "new", on: 2, out: []int{0, 2, 4}},
			{node: "a", slot: 13, by: "new", on: 2, out: []int{0, 2, 4}},
		}, end: []int{0, 2, 4}, alarms: 2, withheld: map[core.Reason]uint64{core.ReasonSameID: 3}},
		{name: "rotation, the other node produces no more", keys: "old", script: and(
			[]shownBlock{
				{node: "b", slot: 0, by: "old", on: head, out: []int{0}},
				{node: "a", slot: 12, by: "new", on: 0, out: []int{0}}, // goes at its timestamp
			}, func() []shownBlock {
				rest := round("a", 12, "new", 0, 1, []int{0})[1:]
				return rest
			}()), end: numbers(13), alarms: 12},
		{name: "rotation, the other node died", keys: "old", script: []shownBlock{
			{node: "b", slot: 0, by: "old", on: head, out: []int{0}},
			{node: "a", slot: 12, by: "new", on: 0, out: []int{0}},
			{node: "-b", slot: 12, at: 20 * time.Millisecond, out: []int{0, 1}},
		}, end: []int{0, 1}, alarms: 1},
		{name: "rotation, and the leader dies in the middle of the round", keys: "old", script: []shownBlock{
			{node: "b", slot: 0, by: "old", on: head, out: []int{0}},
			{node: "a", slot: 12, by: "new", on: 0, out: []int{0}},
			{node: "b", slot: 14, by: "new", on: 1, out: []int{0, 1, 2}},
		}, end: []int{0, 1, 2}, alarms: 2},
		{name: "rotation, the other node is on a branch nobody saw", keys: "old", script: []shownBlock{
			{node: "a", slot: 0, by: "old", on: head, mark: 1, out: []int{0}},
			{node: "b", slot: 0, by: "old", on: head, mark: 2, out: []int{0}},
			{node: "b", slot: 11, by: "old", on: 1, mark: 2, out: []int{0}},
			{node: "a", slot: 12, by: "new", on: 0, mark: 1, out: []int{0}},
			{node: "b", slot: 12, by: "old", on: 2, mark: 2, out: []int{0, 3}},
		}, end: []int{0, 3}, alarms: 1, withheld: map[core.Reason]uint64{core.ReasonSlotTaken: 1, core.ReasonParentWithheld: 2}},
		{name: "rotation, the other node comes from nowhere", keys: "old", script: []shownBlock{
			{node: "b", slot: 0, by: "old", on: head, out: []int{0}},
			{node: "b", slot: 12, by: "old", on: nowhere, out: []int{0}},
			{node: "a", slot: 12, by: "new", on: 0, out: []int{0}}, // b's parent may still come
		}, end: []int{0, 2}, alarms: 1, withheld: map[core.Reason]uint64{core.ReasonSlotTaken: 1}},

		// A node that is wrong.
		{name: "wrong node first", keys: "old", script: []shownBlock{
			{node: "b", slot: 0, by: "old", on: head, out: []int{0}},
			{node: "a", slot: 1, by: "wrong", on: 0, mark: 1, out: []int{0}},
			{node: "b", slot: 1, by: "old", on: 0, mark: 2, out: []int{0, 2}},
			{node: "a", slot: 2, by: "wrong", on: 1, mark: 1, out: []int{0, 2}},
			{node: "b", slot: 2, by: "old", on: 2, mark: 2, out: []int{0, 2, 4}},
		}, end: []int{0, 2, 4}, alarms: 2, withheld: map[core.Reason]uint64{core.ReasonSlotTaken: 1, core.ReasonParentWithheld: 1}},
		{name: "wrong node second", keys: "old", script: []shownBlock{
			{node: "b", slot: 0, by: "old", on: head, mark: 2, out: []int{0}},
			{node: "a", slot: 0, by: "wrong", on: head, mark: 1, out: []int{0}},
		}, end: []int{0}, alarms: 1, withheld: map[core.Reason]uint64{core.ReasonSlotTaken: 1}},
		{name: "wrong node first, identical block", keys: "old", script: []shownBlock{
			{node: "b", slot: 0, by: "old", on: head, out: []int{0}},
			{node: "a", slot: 1, by: "wrong", on: 0, out: []int{0}},
			{node: "b", slot: 1, by: "old", on: 0, out: []int{0, 2}},
		}, end: []int{0, 2}, alarms: 1, withheld: map[core.Reason]uint64{core.ReasonSameID: 1}},
		{name: "wrong node second, identical block", keys: "old", script: []shownBlock{
			{node: "b", slot: 0, by: "old", on: head, out: []int{0}},
			{node: "a", slot: 0, by: "wrong", on: head, out: []int{0}},
			{node: "a", slot: 1, by: "old", on: 0, out: []int{0, 2}},
		}, end: []int{0, 2}, alarms: 1, withheld: map[core.Reason]uint64{core.ReasonSameID: 1}},
		{name: "two unknown keys: neither", keys: "old", script: []shownBlock{
			{node: "a", slot: 0, by: "old", on: head, mark: 1, out: []int{0}},
			{node: "b", slot: 0, by: "old", on: head, mark: 2, out: []int{0}},
			{node: "a", slot: 12, by: "wrong", on: 0, mark: 1, out: []int{0}},
			{node: "b", slot: 12, by: "r1wrong", on: 0, mark: 2, out: []int{0}},
		}, end: []int{0}, alarms: 2, withheld: map[core.Reason]uint64{core.ReasonSlotTaken: 1, core.ReasonKeyDisputed: 2}},
		{name: "the good one waits for a better parent", keys: "old", script: []shownBlock{
			{node: "b", slot: 0, by: "old", on: head, out: []int{0}},
			{node: "a", slot: 36, by: "wrong", on: 0, mark: 1, out: []int{0}},
			{node: "b", slot: 36, by: "old", on: head, mark: 2, out: []int{0}}, // an older public parent
		}, end: []int{0, 2}, alarms: 1, withheld: map[core.Reason]uint64{core.ReasonKeyDisputed: 1}},
		{name: "a copy by a wrong node replaces no good one that waits", keys: "old", script: []shownBlock{
			{node: "b", slot: 0, by: "old", on: head, out: []int{0}},
			{node: "b", slot: 36, by: "old", on: head, out: []int{0}}, // an older public parent
			{node: "a", slot: 36, by: "wrong", on: head, out: []int{0}},
		}, end: []int{0, 1}, alarms: 1, withheld: map[core.Reason]uint64{core.ReasonSameID: 1}},
		{name: "the good node is too late", keys: "old", script: []shownBlock{
			{node: "b", slot: 0, by: "old", on: head, out: []int{0}},
			{node: "a", slot: 1, by: "wrong", on: 0, mark: 1, out: []int{0}},
			{node: "b", slot: 1, at: -time.Millisecond, by: "old", on: 0, mark: 2, out: []int{0, 1}},
		}, end: []int{0, 1}, alarms: 1, withheld: map[core.Reason]uint64{core.ReasonSlotTaken: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, n, a, b, last := signed(t, func(c *core.Config) {
				c.Producers[0].Keys, c.Producers[0].Authority = publics(tt.keys), tt.authority
			})
			nodes := map[string]*peer{"a": a, "b": b}
			var made []blk
			var at p2pwire.Slot
			got := func(step int, want []int) {
				t.Helper()
				have := n.frames(p2pwire.TypeSignedBlock)
				ok := len(have) == len(want)
				for i := 0; ok && i < len(want); i++ {
					ok = string(have[i]) == string(made[want[i]].frame)
				}
				if !ok {
					var ids []int
					for _, f := range have {
						ids = append(ids, slices.IndexFunc(made, func(m blk) bool { return string(m.frame) == string(f) }))
					}
					t.Fatalf("step %d: the network has %v, want %v", step, ids, want)
				}
			}
			for i, s := range tt.script {
				slot := base + s.slot
				due := early(slot)
				if s.at != 0 {
					due = s.at
				}
				for ; at < s.slot; at++ { // nobody idles out
					r.until(base+at, 0)
					for _, p := range r.order {
						if !p.gone {
							p.alive()
						}
					}
				}
				r.until(slot, due)
				if gone, ok := strings.CutPrefix(s.node, "-"); ok {
					nodes[gone].drop()
					made = append(made, blk{})
				} else {
					prev := last
					switch {
					case s.on >= 0:
						prev = made[s.on]
					case s.on == nowhere:
						prev = genesis(500)
					}
					x := makeBlock(prev, slot, ourName, savanna(100), mark(s.mark), by(s.by))
					made = append(made, x)
					nodes[s.node].send(x.frame)
				}
				got(i, s.out)
			}
			r.run(time.Second)
			got(len(tt.script), tt.end)
			st := r.c.Snapshot(r.now).Stats
			for _, why := range core.Reasons() {
				if st.OwnWithheld[why] != tt.withheld[why] {
					t.Errorf("withheld %d times for %s, want %d", st.OwnWithheld[why], why, tt.withheld[why])
				}
			}
			if st.Alarms[core.ReasonUnknownKey] != tt.alarms {
				t.Errorf("%d alarms over unknown keys, want %d", st.Alarms[core.ReasonUnknownKey], tt.alarms)
			}
		})
	}
}

// authority takes keys as "name weight".
func authority(threshold uint32, keys ...string) p2pwire.Authority {
	a := p2pwire.Authority{Threshold: threshold}
	for _, k := range keys {
		name, weight, _ := strings.Cut(k, " ")
		a.Keys = append(a.Keys, p2pwire.KeyWeight{Key: signer(name).Public(), Weight: uint16(weight[0] - '0')})
	}
	return a
}

// signed is a Savanna rig at the head of the chain, shortly before slot base.
func signed(t testing.TB, change func(*core.Config)) (r *rig, n, a, b *peer, last blk) {
	r = newRig(t, 20*time.Second, change)
	root := makeBlock(genesis(100), base-40, otherName, savanna(90))
	n = r.open(core.Network, "net1")
	last = makeBlock(root, base-39, otherName, savanna(91))
	n.handshake(root, last)
	n.send(last.frame)
	a, b = r.node("a", last), r.node("b", last)
	r.until(base, 700*time.Millisecond)
	prev := last
	last = makeBlock(prev, base-1, otherName, savanna(92))
	n.send(last.frame)
	r.run(150 * time.Millisecond)
	n.clear()
	return r, n, a, b, last
}

func TestImpossibleAuthorityIsNoCore(t *testing.T) {
	for name, p := range map[string]core.Producer{
		"keys and authority": {Name: ourName, Keys: publics("a"), Authority: authority(1, "a 1")},
		"threshold":          {Name: ourName, Authority: authority(3, "a 1", "b 1")},
		"key twice":          {Name: ourName, Keys: publics("a a")},
	} {
		if _, err := core.New(core.Config{Producers: []core.Producer{p}}, core.Instant{}); err == nil || !strings.Contains(err.Error(), "bpalpha") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnknownKeyAlarmNamesNodeAndKey(t *testing.T) {
	r, _, a, _, last := signed(t, func(c *core.Config) { c.Producers[0].Keys = publics("old") })
	r.until(base, early(base))
	a.send(makeBlock(last, base, ourName, savanna(100), by("r1new")).frame)
	e := r.event(core.EventAlarm, core.ReasonUnknownKey)
	if e == nil || e.Node != "a" || e.Detail != "signed by "+signer("r1new").Public().String() {
		t.Errorf("%+v", e)
	}
}

// A block of ours from the network claims its slot only if it is signed as configured, a rotation
// notwithstanding.
func TestForeignBlockByAuthority(t *testing.T) {
	for _, tt := range []struct {
		by     string
		claims bool
	}{{"old r1old", true}, {"r1old old", true}, {"old", false}, {"old r1old extra", false}, {"new", false}} {
		r, n, a, _, last := signed(t, func(c *core.Config) { c.Producers[0].Authority = authority(2, "old 1", "r1old 1") })
		r.until(base, early(base))
		x := makeBlock(last, base, ourName, savanna(100), by("new"))
		a.send(x.frame)
		n.want(x) // a rotation: our own blocks are signed by another key
		r.until(base+1, early(base+1))
		n.send(makeBlock(x, base+1, ourName, savanna(100), mark(7), by(tt.by)).frame)
		if got := r.event(core.EventAlarm, core.ReasonForeignBlock) != nil; got != tt.claims {
			t.Errorf("signed by %s: claims is %v", tt.by, got)
		}
		y := makeBlock(x, base+1, ourName, savanna(100), mark(8), by("new"))
		a.send(y.frame)
		if got := r.withheld(core.ReasonSlotTaken) == 1; got != tt.claims {
			t.Errorf("signed by %s: our block lost its slot is %v", tt.by, got)
		}
	}
}
