package duo

import (
	"errors"
	"testing"
	"time"

	"bprelay/ha/pair"
	"bprelay/relay/core"
)

// A claim stands when the other relay has the block: from then on that one may let it out, too.
func TestClaimIsAcknowledged(t *testing.T) {
	r := elected(t)
	cl := claimOf(10)
	for _, h := range r.h {
		h.blocks[cl.ID] = []byte("ten")
	}
	r.m[1].Holds(r.now, cl)
	if v := r.m[0].Claim(r.now, cl); v != core.Pending {
		t.Fatalf("claim: %d before the other relay knows", v)
	}
	r.pump(0)
	r.h[0].want()
	r.run(5 * ms)
	r.h[1].want("adopt 10")
	r.h[0].want("decided 10 1")
	if v := r.m[0].Claim(r.now, cl); v != core.Approved {
		t.Errorf("claimed again: %d", v)
	}
	other := claimOf(10)
	other.ID[5] = 1
	if v := r.m[0].Claim(r.now, other); v != core.Denied {
		t.Errorf("another block for the slot: %d", v)
	}
}

// Without the block nothing is acknowledged: its bytes travel first.
func TestBytesTravel(t *testing.T) {
	r := elected(t)
	cl := claimOf(10)
	r.h[0].blocks[cl.ID] = []byte("ten")
	r.m[0].Claim(r.now, cl)
	r.pump(0)
	r.run(8 * ms)
	r.h[1].want("adopt 10", "block 10 ten")
	r.h[0].want("decided 10 1")
	// What the core let change under its hands does not matter: the bytes are the member's own.
	cl = claimOf(11)
	frame := []byte("eleven")
	r.h[0].blocks[cl.ID] = frame
	r.m[0].Claim(r.now, cl)
	copy(frame, "xxxxxx")
	r.pump(0)
	r.run(8 * ms)
	r.h[1].want("adopt 11", "block 11 eleven")
}

// What the core refuses is logged, and ends nothing.
func TestRefusedBlockEndsNothing(t *testing.T) {
	r := elected(t)
	cl := claimOf(10)
	r.h[0].blocks[cl.ID] = []byte("ten")
	r.h[1].refuse = errors.New("bad")
	r.m[0].Claim(r.now, cl)
	r.m[0].LeadChanged(r.now, []byte("lead"))
	r.pump(0)
	r.run(8 * ms)
	r.h[1].want("adopt 10")
	r.h[1].refuse = nil
	r.m[0].LeadChanged(r.now, []byte("lead 2"))
	r.pump(0)
	r.run(8 * ms)
	r.h[1].want("lead lead 2")
}

// Without a link a block leaves by this relay's word alone: how, is said before that it may.
func TestAlone(t *testing.T) {
	r := elected(t)
	r.cut()
	r.run(ms)
	r.h[0].want("link false", "alarm pair_peer_lost")
	r.h[1].want("link false")
	cl := claimOf(10)
	r.h[0].blocks[cl.ID] = []byte("ten")
	if v := r.m[0].Claim(r.now, cl); v != core.Pending {
		t.Fatalf("claim: %d", v)
	}
	r.pump(0)
	r.h[0].want("alone 10 for 150ms heard 1s", "decided 10 1")
	r.m[0].Echo(r.now, cl)
	r.pump(0)
	r.h[0].want("free 10")
}

// An active that is alone with nodes that cannot see the network lets nothing out.
func TestNothingLeavesWithoutNetwork(t *testing.T) {
	r := elected(t)
	r.cut()
	r.h[0].network = 0
	r.run(60 * ms)
	r.h[0].want("link false", "alarm pair_peer_lost")
	cl := claimOf(10)
	r.h[0].blocks[cl.ID] = []byte("ten")
	r.m[0].Claim(r.now, cl)
	r.run(300 * ms)
	r.h[0].want()
	r.h[0].network = 1
	r.run(60 * ms)
	r.h[0].want("alone 10 for 150ms heard 1s", "decided 10 1")
}

// The standby takes over when a slot passed unseen, the active says nothing, and the network answers.
func TestTakeover(t *testing.T) {
	r := elected(t)
	r.deaf[0] = true
	cl := claimOf(10)
	r.h[1].blocks[cl.ID] = []byte("ten")
	r.m[1].Candidate(r.now, cl)
	r.m[1].Due(r.now, cl.Producer, cl.Slot)
	due := r.now.Mono
	r.run(199 * ms)
	r.h[1].want()
	r.run(2 * ms)
	r.h[1].want("probe 1") // echo_wait is over
	r.run(100 * ms)
	for _, line := range r.h[1].told {
		if line != "probe 1" && line != "alarm pair_no_proof" {
			t.Fatalf("told %q before the network answered", line)
		}
	}
	r.h[1].told = nil
	r.m[1].Answered(r.now, 1)
	r.pump(1)
	r.h[1].want("role active 2 active_missed", "alarm pair_peer_slow", "alone 10 for 150ms heard 1s", "decided 10 1")
	if took := r.now.Mono - due; took > 302*ms {
		t.Errorf("took %v", took)
	}
	// The old one wakes up: it reads everything first, and knows.
	r.deaf[0] = false
	r.m[0].Gap(r.now, 301*ms)
	r.run(20 * ms)
	r.h[0].want("role standby 1 active_gap", "role standby 2 active_outranked", "adopt 10", "adopt 10", "block 10 ten")
	r.h[1].want("free 10")
}

// What a pause left in the sockets is read in some passes of the loop; only then the other relay's word counts.
func TestGapIsDrainedInPasses(t *testing.T) {
	r := elected(t)
	r.m[0].Gap(r.now, 150*ms)
	r.pump(0)
	r.h[0].want("role standby 1 active_gap")
	cl := claimOf(10)
	r.h[0].blocks[cl.ID] = []byte("ten")
	if v := r.m[0].Claim(r.now, cl); v != core.Pending {
		t.Fatalf("claim: %d", v)
	}
	for pass := range drainPasses - 2 {
		r.pump(0)
		if r.m[0].drain == 0 {
			t.Fatalf("drained after %d passes", pass+2)
		}
	}
	r.run(25 * ms)
	if r.m[0].drain != 0 {
		t.Fatal("never drained")
	}
	if role, epoch := r.m[0].Role(); role != pair.Active || epoch != 1 {
		t.Fatalf("%s in epoch %d, want the other relay's confirmation", role, epoch)
	}
}

func TestHandover(t *testing.T) {
	r := elected(t)
	r.h[0].inRun = true
	r.run(60 * ms)
	done := make(chan error, 1)
	r.m[0].Handover(false, done)
	r.run(500 * ms)
	if len(done) > 0 {
		t.Fatalf("handed over in the run: %v", <-done)
	}
	r.h[0].inRun = false
	r.run(60 * ms)
	r.h[0].want("role standby 2 active_handover")
	r.h[1].want("role active 2 active_granted")
	if len(done) != 1 {
		t.Fatal("nobody was told")
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// The standby cannot.
	r.m[0].Handover(true, done)
	r.run(ms)
	if err := <-done; !errors.Is(err, core.ErrNotPossible) {
		t.Fatalf("handover by the standby: %v", err)
	}
}

func TestStopHandsOver(t *testing.T) {
	r := elected(t)
	done := make(chan struct{})
	r.m[0].Stop(done)
	r.run(3 * ms)
	select {
	case <-done:
	default:
		t.Fatal("not stopped")
	}
	r.h[0].want("role standby 2 active_handover")
	r.h[1].want("role active 2 active_granted")
}

// What the link tells waits for the loop, which is woken; what cannot be read is an error and nothing else.
func TestInbox(t *testing.T) {
	r := newRig(t)
	r.pump(0)
	for what, tell := range map[string]func(){
		"up":   func() { r.m[0].Up(1) },
		"hint": func() { r.m[0].Hint(pair.HintAlive) },
		"down": func() { r.m[0].Down("gone") },
	} {
		r.woken[0] = false
		tell()
		if !r.woken[0] {
			t.Errorf("%s does not wake the loop", what)
		}
	}
	r.h[0].want()
	r.woken[0] = false
	if err := r.m[0].Message([]byte("no message")); err == nil || r.woken[0] {
		t.Errorf("error %v, woken %v", err, r.woken[0])
	}
}

// A message goes on the connection for which it was made, or nowhere.
func TestMessagesOfAnEndedConnection(t *testing.T) {
	r := elected(t)
	r.link = 7 // the link has another one by now, and has yet to tell
	r.wires = [2][]wire{}
	r.run(50 * ms)
	if r.lost == 0 {
		t.Fatal("nothing was sent")
	}
	for i := range r.wires {
		if len(r.wires[i]) > 0 {
			t.Fatalf("%d messages went to the new connection", len(r.wires[i]))
		}
	}
}

// The lead is the active's word; the standby's own is not passed on.
func TestLead(t *testing.T) {
	r := elected(t)
	r.m[1].LeadChanged(r.now, []byte("standby's"))
	r.m[0].LeadChanged(r.now, []byte("node1"))
	r.pump(0)
	r.pump(1)
	r.run(5 * ms)
	r.h[0].want()
	r.h[1].want("lead node1")
}

func TestHealthIsToldNowAndThen(t *testing.T) {
	r := elected(t)
	r.h[0].asked = 0
	for range 1000 { // events come much more often
		r.now.Mono += ms
		r.now.Wall += int64(time.Millisecond)
		r.pump(0)
	}
	if n := r.h[0].asked; n < 15 || n > 21 {
		t.Errorf("asked %d times in a second, want about 20", n)
	}
}

func TestEveryRoleAndAlarmHasAReason(t *testing.T) {
	for why := range alarmReasons {
		if alarmReasons[why] == core.ReasonNone {
			t.Errorf("alarm %s", why)
		}
	}
	for why := pair.ReasonStart; why <= pair.ReasonRaised; why++ {
		if roleReasons[why] == core.ReasonNone {
			t.Errorf("role %s has no reason in the relay", why)
		}
	}
	for why := pair.ReasonDoubleClaim; why <= pair.ReasonSettings; why++ {
		if alarmReasons[why] == core.ReasonNone {
			t.Errorf("alarm %s has no reason in the relay", why)
		}
	}
}
