package quorum

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// raft forgets what it was asked when it is shut down: nobody waits for that for ever.
func TestFuturesEndWithRaft(t *testing.T) {
	bubble(t, members3, func(r *rig) {
		r.make("a")
		in, other := r.nodes["a"].instance(), r.nodes["b"].instance()
		s, _ := in.server("b")
		for name, f := range map[string]raft.Future{
			"apply":    in.raft.Apply((&entry{kind: kindReign, member: "a"}).encode(), time.Second),
			"transfer": other.raft.LeadershipTransferToServer(s.ID, s.Address),
			"remove":   other.raft.RemoveServer("x", 0, time.Second),
		} {
			if !in.ends(f) {
				t.Errorf("%s: raft has no such field any more", name)
			}
		}
		if err := in.wait(context.Background(), in.raft.Barrier(time.Second), time.Second); err != nil {
			t.Error(err)
		}
	})
}
