package quorum

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"bprelay/p2pwire"
)

// id makes an id of block number num.
func id(num uint32, salt byte) (id p2pwire.ID) {
	id[0], id[1], id[2], id[3] = byte(num>>24), byte(num>>16), byte(num>>8), byte(num)
	id[31] = salt
	return id
}

func claimOf(slot p2pwire.Slot, salt byte) Claim {
	return Claim{Producer: 7, Slot: slot, ID: id(uint32(slot), salt)}
}

func TestEntries(t *testing.T) {
	foreign := claimOf(9, 2)
	foreign.Foreign = true
	for _, e := range []entry{
		{kind: kindClaim, claim: claimOf(9, 1)},
		{kind: kindClaim, claim: foreign},
		{kind: kindClaim, claim: claimOf(1<<31, 1), block: []byte("frame")},
		{kind: kindLead, epoch: 1 << 40, lead: []byte("{}")},
		{kind: kindReign, member: "relay-a"},
		{kind: kindReign, member: strings.Repeat("x", maxName)},
	} {
		got, err := decodeEntry(e.encode())
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%+v came back as %+v: %v", e, got, err)
		}
	}
}

func TestEntriesThatAreNone(t *testing.T) {
	good := (&entry{kind: kindClaim, claim: claimOf(9, 1)}).encode()
	withBlock := (&entry{kind: kindClaim, claim: claimOf(9, 1), block: []byte("b")}).encode()
	change := func(b []byte, at int, v byte) []byte { c := bytes.Clone(b); c[at] = v; return c }
	for name, b := range map[string][]byte{
		"nothing":             nil,
		"a byte":              {entryVersion},
		"a newer version":     change(good, 0, entryVersion+1),
		"kind 0":              change(good, 1, 0),
		"an unknown kind":     change(good, 1, 4),
		"half a claim":        good[:len(good)-1],
		"more than a claim":   append(bytes.Clone(good), 0),
		"an unknown flag":     change(good, 2, 4),
		"a block that is not": change(good, 2, flagBlock),
		"a block too many":    change(withBlock, 2, 0),
		"a huge block":        append(bytes.Clone(withBlock), make([]byte, maxBlock)...),
		"no lead":             append([]byte{entryVersion, byte(kindLead)}, make([]byte, 8)...),
		"a huge lead":         append([]byte{entryVersion, byte(kindLead)}, make([]byte, 8+maxLead+1)...),
		"nobody's reign":      {entryVersion, byte(kindReign)},
		"a long name":         append([]byte{entryVersion, byte(kindReign)}, make([]byte, maxName+1)...),
	} {
		if e, err := decodeEntry(b); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func FuzzEntry(f *testing.F) {
	for _, e := range []entry{
		{kind: kindClaim, claim: claimOf(9, 1), block: []byte("frame")},
		{kind: kindClaim, claim: claimOf(9, 1)},
		{kind: kindLead, epoch: 5, lead: []byte("{}")},
		{kind: kindReign, member: "a"},
	} {
		f.Add(e.encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEntry(b)
		if err == nil && !bytes.Equal(e.encode(), b) {
			t.Fatalf("%x is read as %+v, which is written as %x", b, e, e.encode())
		}
	})
}

// same fails the test unless two states are the same to everyone who asks them.
func same(t *testing.T, a, b *state) {
	t.Helper()
	if x, y := a.encode(), b.encode(); !bytes.Equal(x, y) {
		t.Fatalf("states differ:\n%x\n%x", x, y)
	}
}

func TestFirstClaimDecides(t *testing.T) {
	s := newState()
	for _, c := range []struct {
		cl     Claim
		want   Decision
		first  bool
		floor  uint32
		reason string
	}{
		{claimOf(10, 1), Decision{id(10, 1), true}, true, 0, "the first"},
		{claimOf(10, 2), Decision{id(10, 1), true}, false, 0, "another"},
		{claimOf(10, 1), Decision{id(10, 1), true}, false, 0, "the first again"},
		{Claim{Producer: 8, Slot: 10, ID: id(10, 2)}, Decision{id(10, 2), true}, true, 0, "another producer"},
		{claimOf(9, 2), Decision{id(9, 2), true}, true, 0, "an earlier slot"},
	} {
		if d, first := s.claim(c.cl); d != c.want || first != c.first {
			t.Errorf("%s: %+v, %v", c.reason, d, first)
		}
	}
}

func TestOldSlotsAreClosed(t *testing.T) {
	s := newState()
	for i := range p2pwire.Slot(maxClaims + 10) {
		s.claim(claimOf(100+i, 1))
	}
	if d, first := s.claim(claimOf(105, 2)); d.Known || first {
		t.Errorf("a forgotten slot was decided anew: %+v", d)
	}
	if d, _ := s.claim(claimOf(110, 2)); d.Winner != id(110, 1) {
		t.Errorf("a remembered slot: %+v", d)
	}
	if len(s.recent) != maxRecent || s.recent[maxRecent-1] != claimOf(100+maxClaims+9, 1) {
		t.Errorf("%d recent claims", len(s.recent))
	}
}

func TestLeadOfAnOldReignIsNotTaken(t *testing.T) {
	s := newState()
	s.rule("a", 3, 2)
	if !s.setLead(3, []byte("one")) || s.setLead(2, []byte("two")) {
		t.Error("the reign does not matter")
	}
	s.rule("b", 9, 4)
	if s.setLead(3, []byte("three")) || string(s.lead) != "one" {
		t.Errorf("lead %q", s.lead)
	}
}

// Two members, one of which is restored from a snapshot at some point, agree.
func TestSnapshotStandsForItsEntries(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		a, b := newState(), newState()
		n := rng.IntN(3 * maxClaims)
		at := rng.IntN(n + 1)
		for i := range n {
			if i == at {
				c, err := decodeState(b.encode())
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				b = c
			}
			switch rng.IntN(40) {
			case 0:
				a.rule("m", uint64(i), uint64(i))
				b.rule("m", uint64(i), uint64(i))
			case 1:
				lead := []byte{byte(i), 1}
				a.setLead(a.reign.Epoch, lead)
				b.setLead(b.reign.Epoch, lead)
			default:
				cl := claimOf(p2pwire.Slot(i+rng.IntN(50)), byte(rng.IntN(3)))
				cl.Foreign = rng.IntN(10) == 0
				x, f := a.claim(cl)
				if y, g := b.claim(cl); x != y || f != g {
					t.Fatalf("seed %d, entry %d: %+v and %+v", seed, i, x, y)
				}
			}
		}
		same(t, a, b)
	}
}

func TestSnapshotsThatAreNone(t *testing.T) {
	s := newState()
	s.rule("a", 3, 2)
	s.setLead(3, []byte("one"))
	for i := range p2pwire.Slot(5) {
		s.claim(claimOf(10+i, 1))
	}
	good := s.encode()
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 0x41
		if _, err := decodeState(b); err == nil {
			t.Errorf("byte %d of %d may be anything", i, len(good))
		}
		if _, err := decodeState(good[:i]); err == nil {
			t.Errorf("%d of %d bytes are enough", i, len(good))
		}
	}
}

// What has a good checksum may still be of somebody else's making.
func FuzzSnapshot(f *testing.F) {
	s := newState()
	s.rule("a", 3, 2)
	s.setLead(3, []byte("one"))
	s.claim(claimOf(10, 1))
	b := s.encode()
	f.Add(b[:len(b)-4])
	f.Fuzz(func(t *testing.T, b []byte) {
		b = withSum(b)
		if s, err := decodeState(b); err == nil && !bytes.Equal(s.encode(), b) {
			t.Fatalf("%x is written as %x", b, s.encode())
		}
	})
}

func withSum(b []byte) []byte {
	b = bytes.Clone(b)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}
