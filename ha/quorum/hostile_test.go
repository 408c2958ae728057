package quorum

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// What another member proposes is looked at before it gets into the log.
func TestProposalsAreChecked(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		sleep(time.Second)
		n := r.nodes["a"]
		last := n.instance().raft.LastIndex()
		good := (&entry{kind: kindClaim, claim: claimOf(slotNow(), 1)}).encode()
		for name, b := range map[string][]byte{
			"nothing": nil, "half a claim": good[:20], "another version": append([]byte{entryVersion + 1}, good[1:]...),
			"a reign": (&entry{kind: kindReign, member: "b"}).encode(),
		} {
			var a answer
			if err := json.Unmarshal(n.answer(context.Background(), "b", append([]byte{askPropose}, b...)), &a); err != nil || a.Error == "" || a.Again {
				t.Errorf("%s: %+v, %v", name, a, err)
			}
		}
		for _, q := range []string{"", "?", "s", "s{", "k", "kshort", "bshort", "c", "c{}", "h", "h{", `h{"name":"x","birth":"y","empty":true}`} {
			n.answer(context.Background(), "b", []byte(q))
		}
		if now := n.instance().raft.LastIndex(); now != last {
			t.Errorf("the log grew from %d to %d", last, now)
		}
		if r.active() != "a" {
			t.Errorf("active: %q", r.active())
		}
	})
}

// An entry of a newer version is committed: who cannot read it must not go on without it.
func TestNewerEntryIsNotSkipped(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		cl := claimOf(slotNow(), 1)
		e := (&entry{kind: kindClaim, claim: cl}).encode()
		e[0]++
		_ = r.nodes["a"].instance().raft.Apply(e, time.Second).Error()
		// A leader that finds it steps aside before it has told the others that it is committed: some meet it only
		// when they lead themselves.
		for _, name := range []string{"a", "b", "w"} {
			r.until(name+" aside", time.Minute, func() bool { return strings.Contains(r.aside(name), "not an entry of this version") })
		}
		for _, rr := range r.relays {
			rr.candidate(claimOf(cl.Slot, 2), []byte("frame"))
		}
		sleep(20 * time.Second)
		if _, shown := r.pub.has(cl.Slot); shown {
			t.Error("the slot was given away once more")
		}
	})
}
