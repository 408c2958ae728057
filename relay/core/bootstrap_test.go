package core_test

import (
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// After a start every moment counts: our nodes are in the middle of our round. A peer that has nothing to
// show, or one that was not chosen by configuration, takes nobody's turn to tell what the network has.
func TestWhoIsAskedAfterTheStart(t *testing.T) {
	root := makeBlock(genesis(100), base-9, otherName)
	head := makeBlock(root, base-1, otherName)
	for _, tt := range []struct {
		name    string
		dialled bool // the first peer
		shows   blk  // its root
		asked   bool // the second one, a dialled peer, at once
	}{
		{"accepted, nothing to show", false, head, true},
		{"accepted", false, root, true},
		{"dialled, nothing to show", true, head, true},
		{"dialled", true, root, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, time.Second)
			id, err := r.c.Open(r.now, core.SessionInfo{Side: core.Network, Name: "first", Remote: "10.6.6.6:6666", Dialled: tt.dialled})
			if err != nil {
				t.Fatal(err)
			}
			first := &peer{r: r, id: id, side: core.Network, name: "first", nodeID: p2pwire.ID{9}}
			r.peers[id] = first
			first.handshake(tt.shows, head)
			if asked := len(first.requests()) > 0; asked != (tt.shows.id != head.id) {
				t.Fatalf("the first one was asked: %v", asked)
			}
			r.run(50 * time.Millisecond)
			n := r.open(core.Network, "net1")
			n.handshake(root, head)
			if asked := len(n.requests()) > 0; asked != tt.asked {
				t.Errorf("the second one was asked at once: %v, want %v", asked, tt.asked)
			}
			r.run(time.Second)
			if len(n.requests()) != 1 {
				t.Errorf("the second one was asked %d times within a second, want once", len(n.requests()))
			}
		})
	}
}
