package core_test

import (
	"bytes"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

const survive = 100 * time.Millisecond

func TestNetworkBlockReachesEveryNodeOnce(t *testing.T) {
	r, n, a, b, head := warm(t)
	n2 := r.network("net2", head)
	x := makeBlock(head, base, otherName)
	n.send(x.frame)
	n2.send(x.frame)
	r.run(2 * survive)
	n2.send(x.frame)
	a.want(x)
	b.want(x)
	n.want()
	n2.want()
}

func TestUnprovenBlockGoesToOneNodeFirst(t *testing.T) {
	r, n, a, b, head := warm(t)
	x := makeBlock(head, base, otherName)
	n.send(x.frame)
	if len(a.blocks())+len(b.blocks()) != 1 {
		t.Fatalf("a got %d, b %d blocks; want one node to go first", len(a.blocks()), len(b.blocks()))
	}
	r.run(survive)
	a.want(x)
	b.want(x)
}

func TestSignedByKnownKeyGoesToAllAtOnce(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	x := makeBlock(head, base, otherName, savanna(101))
	n.send(x.frame)
	a.want(x)
	b.want(x)
	forged := makeBlock(x, base+1, otherName, savanna(102), signedBy(ourKey))
	n.send(forged.frame)
	if len(a.blocks())+len(b.blocks()) != 3 {
		t.Fatal("a block signed by another key went to all at once")
	}
	_ = r
}

// mutilate changes the block's bytes behind the header: same id, other payload.
func mutilate(t *testing.T, x blk, by byte) blk {
	b, err := p2pwire.ParseBlock(p2pwire.Frame(x.frame).Body())
	if err != nil {
		t.Fatal(err)
	}
	f := bytes.Clone(x.frame)
	f[p2pwire.PrefixLen+1+b.HeaderEnd+20] ^= by // inside the signature
	return blk{id: x.id, slot: x.slot, frame: f}
}

func TestMutilatedTwinDoesNotSuppressTheGoodCopy(t *testing.T) {
	r, evil, a, b, head := warm(t)
	good := r.network("net2", head)
	x := makeBlock(head, base, otherName)
	evil.send(mutilate(t, x, 1).frame)
	good.send(x.frame)
	r.run(2 * survive)
	for _, p := range []*peer{a, b} {
		var sawGood bool
		for _, f := range p.frames(p2pwire.TypeSignedBlock) {
			sawGood = sawGood || bytes.Equal(f, x.frame)
		}
		if p == a && !sawGood && len(p.got) > 0 || p == b && !sawGood && len(p.got) > 0 {
			t.Errorf("%s did not get the good copy", p.name)
		}
	}
}

func TestAtMostThreePayloadsPerID(t *testing.T) {
	r, n, a, b, head := warm(t)
	x := makeBlock(head, base, otherName)
	n2 := r.network("net2", head)
	for i := byte(1); i < 10; i++ {
		n.send(mutilate(t, x, i).frame)
	}
	if got := len(a.blocks()) + len(b.blocks()); got != 2 {
		t.Errorf("%d payloads of one peer were let in, want 2", got)
	}
	for i := byte(10); i < 20; i++ {
		n2.send(mutilate(t, x, i).frame)
	}
	if got := len(a.blocks()) + len(b.blocks()); got != 3 {
		t.Errorf("%d payloads were let in, want 3", got)
	}
	r.run(survive)
	before := len(a.blocks()) + len(b.blocks())
	n.send(mutilate(t, x, 77).frame)
	if got := len(a.blocks()) + len(b.blocks()); got != before {
		t.Error("a twin was let in after the block had survived")
	}
}

func TestHarmfulBlockIsBlamedOnItsSource(t *testing.T) {
	r, evil, a, b, head := warm(t)
	good := r.network("net2", head)
	x := makeBlock(head, base, otherName)
	bad := mutilate(t, x, 1)
	evil.send(bad.frame)
	nodes, lost := r.closeOver([]*peer{a, b}, bad.frame, head)
	if evil.closed != core.ReasonBlamed || lost != 2 {
		t.Fatalf("the source was closed as %v after %d links, want blamed after 2", evil.closed, lost)
	}
	good.send(x.frame)
	r.run(2 * survive)
	for _, p := range nodes {
		if !p.has(x.frame) {
			t.Errorf("%s did not get the good copy", p.name)
		}
	}
	if _, err := r.c.Open(r.now, core.SessionInfo{Side: core.Network, Name: "net1", Dialled: true, Remote: "10.0.0.1:1"}); err == nil {
		t.Error("the blamed peer was let in again at once")
	}
}

func TestDeadNodeBlamesNobody(t *testing.T) {
	r, n, a, b, head := warm(t)
	x := makeBlock(head, base, otherName)
	n.send(x.frame)
	victim, other := a, b
	if len(b.blocks()) > 0 {
		victim, other = b, a
	}
	victim.drop()
	r.c.DialFailed(r.now, core.Internal, victim.name, nil)
	r.pump()
	other.want(x)
	r.run(time.Second)
	if n.gone {
		t.Error("the peer was closed although the node had died by itself")
	}
}

func TestOrphanWaitsForItsParent(t *testing.T) {
	r, n, a, b, head := warm(t)
	x := makeBlock(head, base, otherName)
	y := makeBlock(x, base+1, otherName)
	n.send(y.frame)
	r.run(survive)
	a.want()
	b.want()
	if len(n.frames(p2pwire.TypeRequest)) != 1 {
		t.Error("the missing parent was not asked for")
	}
	n.send(x.frame)
	r.run(2 * survive)
	a.want(x, y)
	b.want(x, y)
}

func TestBadFramesCloseOnlyTheirSession(t *testing.T) {
	cases := map[string]struct {
		frame []byte
		why   core.Reason
	}{
		"length 0":        {[]byte{0, 0, 0, 0}, core.ReasonBadLength},
		"8 MiB + 1":       {[]byte{1, 0, 128, 0}, core.ReasonBadLength},
		"unknown index":   {[]byte{2, 0, 0, 0, 14, 0}, core.ReasonMalformed},
		"short block":     {[]byte{2, 0, 0, 0, 7, 0}, core.ReasonMalformed},
		"short vote":      {[]byte{2, 0, 0, 0, 9, 0}, core.ReasonMalformed},
		"bad transaction": {[]byte{3, 0, 0, 0, 8, 9, 9}, core.ReasonMalformed},
		"short time":      {[]byte{2, 0, 0, 0, 3, 0}, core.ReasonMalformed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, n, a, b, head := warm(t)
			bad := r.network("bad", head)
			bad.send(tc.frame)
			if bad.closed != tc.why {
				t.Errorf("closed as %v, want %v", bad.closed, tc.why)
			}
			if n.gone || a.gone || b.gone {
				t.Error("another session was closed too")
			}
			x := makeBlock(head, base, otherName)
			n.send(x.frame)
			r.run(survive)
			a.want(x)
			b.want(x)
		})
	}
}

func TestBodyThatDoesNotMatchItsHeader(t *testing.T) {
	r, n, a, b, head := warm(t)
	trx := p2pwire.AppendTransaction(nil, 1, 2, 3, []byte("hi"))
	x := makeBlock(head, base, otherName, func(b *p2pwire.BlockBuilder) {
		b.Receipts = []p2pwire.Receipt{{CPU: 100, Net: 10, Trx: trx}}
	})
	i := bytes.Index(x.frame, []byte("hi"))
	x.frame[i] ^= 1
	n.send(x.frame)
	if n.closed != core.ReasonInvalidBlock {
		t.Errorf("closed as %v, want invalid_block", n.closed)
	}
	a.want()
	b.want()
	_ = r
}

func TestFramesCutAnywhere(t *testing.T) {
	for size := 1; size < 200; size += 7 {
		r, n, a, _, head := warm(t)
		x := makeBlock(head, base, otherName)
		y := makeBlock(x, base+1, otherName)
		for chunk := append(bytes.Clone(x.frame), y.frame...); len(chunk) > 0; {
			k := min(size, len(chunk))
			n.send(chunk[:k])
			chunk = chunk[k:]
		}
		r.run(2 * survive)
		a.want(x, y)
		if st := r.c.Snapshot(r.now); st.PartialBytes != 0 {
			t.Fatalf("%d bytes of partial frames are left", st.PartialBytes)
		}
	}
}

func TestBlockTooFarAheadIsTakenLater(t *testing.T) {
	r, n, a, b, head := warm(t)
	x := makeBlock(head, base+20, otherName)
	n.send(x.frame)
	r.run(survive)
	a.want()
	r.until(base+20, time.Second)
	n.send(x.frame)
	r.run(survive)
	a.want(x)
	b.want(x)
}

// nodeos takes blocks of producers with several keys; only over WebAuthn it closes the link.
func TestAdditionalSignaturesAreTaken(t *testing.T) {
	for _, era := range []struct {
		name string
		opts []blockOption
	}{{"legacy", nil}, {"savanna", []blockOption{savanna(90)}}} {
		r, n, a, b, head := warm(t, era.opts...)
		x := makeBlock(head, base, otherName, append(era.opts, func(bb *p2pwire.BlockBuilder) {
			bb.Signer, bb.CoSigners = p2pwire.K1PrivateFromSeed("unknown"), []p2pwire.Signer{p2pwire.R1PrivateFromSeed("second")}
		})...)
		n.send(x.frame)
		r.run(survive)
		a.want(x)
		b.want(x)
		// Which of two keys would do alone is not known: a block by one of them is tried first.
		y := makeBlock(x, base+1, otherName, append(era.opts, signedBy(p2pwire.K1PrivateFromSeed("unknown")))...)
		n.send(y.frame)
		if len(a.blocks())+len(b.blocks()) > 3 {
			t.Errorf("%s: untried bytes reached both nodes", era.name)
		}
		r.run(survive)
		a.want(x, y)
	}
}

// The producer's signature is the one known, what stands beside it is an attacker's: that is no
// block signed by a known key, which would go to all nodes untried.
func TestKnownSignatureWithAnAddedOneIsTried(t *testing.T) {
	r, n, a, b, head := warm(t, savanna(90))
	good := makeBlock(head, base, otherName, savanna(90))
	n.send(good.frame)
	if len(a.blocks()) != 1 || len(b.blocks()) != 1 {
		t.Fatal("a block signed by the known key did not go to both nodes at once")
	}
	r.run(survive)
	bad := makeBlock(good, base+1, otherName, savanna(90), func(bb *p2pwire.BlockBuilder) {
		bb.CoSigners = []p2pwire.Signer{p2pwire.K1PrivateFromSeed("attacker")}
	})
	n.send(bad.frame)
	if got := len(a.blocks()) + len(b.blocks()); got > 3 {
		t.Fatal("untried bytes reached both nodes")
	}
}

func TestWebAuthnSignatureEndsTheSession(t *testing.T) {
	r, n, a, b, head := warm(t)
	sig := [p2pwire.K1SigSize]byte{2, 31}
	x := makeBlock(head, base, otherName, func(bb *p2pwire.BlockBuilder) {
		bb.BlockExtensions = []p2pwire.Extension{{ID: 2, Data: append(append([]byte{1}, sig[:]...), 0, 0)}}
	})
	n.send(x.frame)
	r.run(survive)
	a.want()
	b.want()
	if n.closed != core.ReasonInvalidBlock {
		t.Errorf("the session ended with %s", n.closed)
	}
}

func TestLargeFramesKeepTheirOrder(t *testing.T) {
	r, n, a, b, head := warm(t)
	trx := p2pwire.AppendTransaction(nil, 1, 2, 3, make([]byte, 3<<20))
	x := makeBlock(head, base, otherName, func(bb *p2pwire.BlockBuilder) {
		bb.Receipts = []p2pwire.Receipt{{CPU: 100, Net: 10, Trx: trx}}
	})
	y := makeBlock(x, base+1, otherName)
	all := append(bytes.Clone(x.frame), y.frame...)
	for len(all) > 0 {
		k := min(100_000, len(all))
		r.c.Data(r.now, n.id, all[:k])
		all = all[k:]
	}
	if got := len(r.c.Writable(nil)); got != 0 {
		t.Fatalf("%d sessions have something to write before the large block was checked", got)
	}
	r.pump()
	r.run(2 * survive)
	a.want(x, y)
	b.want(x, y)
	if st := r.c.Snapshot(r.now); st.PartialBytes != 0 {
		t.Errorf("%d bytes of partial frames are left", st.PartialBytes)
	}
	big := p2pwire.AppendRawFrame(nil, p2pwire.TypePackedTransaction, trx)
	r.c.Data(r.now, n.id, big)
	n.drop() // while the work is under way
	if st := r.c.Snapshot(r.now); st.PartialBytes != 0 {
		t.Errorf("%d bytes of partial frames are left", st.PartialBytes)
	}
}
