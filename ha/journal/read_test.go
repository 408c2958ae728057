package journal

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const (
	bpA = uint64(0x1111)
	bpB = uint64(0x2222)
	now = int64(1_800_000_000_000_000_000)
)

var (
	chainOne = [32]byte{1}
	who      = Identity{Chain: chainOne, Producers: []uint64{bpA}, Fence: 5000}
)

func id(slot uint32) [32]byte { return [32]byte{byte(slot), byte(slot >> 8), 0xee} }

func claimOf(slot uint32) Claim { return Claim{Producer: bpA, Slot: slot, ID: id(slot)} }

func key(n byte) [32]byte { return [32]byte{0xfe, n} }

// sample is a file with a snapshot of three claims and a mark, and three more claims, a mark and a
// sign of life behind it.
func sample(t testing.TB) []byte {
	l, _, err := Read(nil, Identity{Chain: chainOne, Producers: []uint64{bpA}, Fence: 900}, now)
	if err != nil {
		t.Fatal(err)
	}
	for slot := range uint32(3) {
		l.Claim(claimOf(1000 + slot))
	}
	l.Claim(Claim{Producer: bpA, Slot: 1003, ID: id(1003), Foreign: true})
	l.Mark(Mark{key(1), 1004})
	b := l.Snapshot([32]byte{9, 9}, now)
	for slot := range uint32(3) {
		c := claimOf(1010 + slot)
		l.Claim(c)
		b = l.AppendClaim(b, c, now)
	}
	b = l.AppendMark(b, Mark{key(1), 1016}, now)
	return l.AppendBeat(b, now)
}

func sampleClaims() (list []Claim) {
	for _, slot := range []uint32{1000, 1001, 1002, 1003, 1010, 1011, 1012} {
		c := claimOf(slot)
		c.Foreign = slot == 1003
		list = append(list, c)
	}
	return list
}

func TestReadWhole(t *testing.T) {
	_, h, err := Read(sample(t), who, now+int64(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	want := &History{
		Claims: sampleClaims(), Marks: []Mark{{key(1), 1016}}, Complete: true, Fences: map[uint64]uint32{bpA: 900},
	}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got %+v\nwant %+v", h, want)
	}
}

// Every cut: what is whole is used, and only the file that ends with a record is believed. A cut at a
// record's end behind the seal can not be told from a file that was never longer.
func TestEveryCut(t *testing.T) {
	data := sample(t)
	seal := 0
	for at := 0; at < len(data); at += recordSize {
		if kind(data[at]) == kindSeal {
			seal = at + recordSize
		}
	}
	for cut := range len(data) {
		_, h, err := Read(data[:cut], who, now)
		if err != nil {
			t.Fatal(err)
		}
		if want := cut%recordSize == 0 && cut >= seal; h.Complete != want {
			t.Errorf("cut at %d: complete %v (%s), want %v", cut, h.Complete, h.Fault, want)
		}
		onlyTrue(t, fmt.Sprintf("cut at %d", cut), h)
		whole := 0
		for at := 0; at+recordSize <= cut; at += recordSize {
			if k := kind(data[at]); k == kindClaim || k == kindForeign {
				whole++
			}
		}
		if len(h.Claims) != whole {
			t.Errorf("cut at %d: %d claims, want %d", cut, len(h.Claims), whole)
		}
		if !h.Complete && h.Fences[bpA] != who.Fence {
			t.Errorf("cut at %d: fence %d", cut, h.Fences[bpA])
		}
	}
}

// Every single-bit flip is seen, and spoils no more than its record.
func TestEveryBitFlip(t *testing.T) {
	data := sample(t)
	for bit := range len(data) * 8 {
		data[bit/8] ^= 1 << (bit % 8)
		_, h, err := Read(data, who, now)
		if err != nil {
			t.Fatalf("bit %d: %v", bit, err)
		}
		if h.Complete || h.Fault == "" {
			t.Fatalf("bit %d: flipped, and complete", bit)
		}
		onlyTrue(t, fmt.Sprintf("bit %d", bit), h)
		if bit >= recordSize*8 && len(h.Claims) < 6 {
			t.Fatalf("bit %d: %d claims left", bit, len(h.Claims))
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
}

// onlyTrue fails on a claim or mark that was never made.
func onlyTrue(t testing.TB, what string, h *History) {
	t.Helper()
	made := map[Claim]bool{}
	for _, c := range sampleClaims() {
		made[c] = true
	}
	for _, c := range h.Claims {
		if !made[c] {
			t.Fatalf("%s: a claim that nobody made: %+v", what, c)
		}
	}
	for _, m := range h.Marks {
		if m != (Mark{key(1), 1004}) && m != (Mark{key(1), 1016}) {
			t.Fatalf("%s: a mark that nobody made: %+v", what, m)
		}
	}
}

func TestFaults(t *testing.T) {
	whole := sample(t)
	swap := func(i, j int) []byte {
		b := append([]byte(nil), whole...)
		copy(b[i*recordSize:], whole[j*recordSize:(j+1)*recordSize])
		copy(b[j*recordSize:], whole[i*recordSize:(i+1)*recordSize])
		return b
	}
	n := len(whole) / recordSize
	// What an older file left on the disk behind a shorter one.
	older := sample(t)
	copy(older, header([32]byte{7}, 0, now))
	for _, c := range []struct {
		name, fault string
		data        []byte
		at          int64
	}{
		{"no file", "none yet", nil, now},
		{"emptied", "cut off", []byte{}, now},
		{"records exchanged", "damaged", swap(n-2, n-3), now},
		{"a record missing", "damaged", append(append([]byte(nil), whole[:(n-3)*recordSize]...), whole[(n-2)*recordSize:]...), now},
		{"a record twice", "damaged", append(append([]byte(nil), whole...), whole[len(whole)-recordSize:]...), now},
		{"zeroes behind", "damaged", append(append([]byte(nil), whole...), make([]byte, 2*recordSize)...), now},
		{"another file's records", "damaged", older, now},
		{"a gap", "could not be written", append(header([32]byte{9, 9}, flagGap, now), whole[recordSize:]...), now},
		{"an older copy", "another instance may have run", whole, now + int64(11*time.Second)},
		{"clock set back", "in the future", whole, now - int64(2*time.Second)},
	} {
		_, h, err := Read(c.data, who, c.at)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if h.Complete || !strings.Contains(h.Fault, c.fault) {
			t.Errorf("%s: complete %v, fault %q, want %q", c.name, h.Complete, h.Fault, c.fault)
		}
		if h.Fences[bpA] != who.Fence {
			t.Errorf("%s: fence %d", c.name, h.Fences[bpA])
		}
		onlyTrue(t, c.name, h)
	}
}

func TestOtherChainIsRefused(t *testing.T) {
	if _, _, err := Read(sample(t), Identity{Chain: [32]byte{2}, Producers: []uint64{bpA}}, now); !errors.Is(err, ErrOtherChain) {
		t.Errorf("got %v", err)
	}
}

// A producer that the file does not name has no history, and the fence it gets is kept for the start
// after.
func TestAddedProducer(t *testing.T) {
	two := Identity{Chain: chainOne, Producers: []uint64{bpA, bpB}, Fence: 5000}
	l, h, err := Read(sample(t), two, now)
	if err != nil || !h.Complete || h.Fences[bpA] != 900 || h.Fences[bpB] != 5000 {
		t.Fatalf("%v, %+v", err, h)
	}
	two.Fence = 5002
	_, h, err = Read(l.Snapshot([32]byte{5}, now+1), two, now+2)
	if err != nil || !h.Complete || h.Fences[bpA] != 900 || h.Fences[bpB] != 5000 {
		t.Errorf("%v, %+v", err, h)
	}
}

// The slots that an incomplete journal leaves in doubt stay in doubt at the next start.
func TestFenceOutlivesTheNextStart(t *testing.T) {
	l, h, _ := Read(nil, who, now)
	if h.Complete {
		t.Fatal("complete without a file")
	}
	_, h, _ = Read(l.Snapshot([32]byte{5}, now+1), Identity{Chain: chainOne, Producers: []uint64{bpA}, Fence: 6000}, now+2)
	if !h.Complete || h.Fences[bpA] != 5000 {
		t.Errorf("%+v", h)
	}
}

// It keeps what a claim book of that size keeps, and no more.
func TestBounded(t *testing.T) {
	l, _, _ := Read(nil, who, now)
	for slot := range uint32(maxClaims + 100) {
		if !l.Claim(claimOf(10_000 + slot)) {
			t.Fatal(slot)
		}
	}
	for n := range uint32(maxMarks + 50) {
		l.Mark(Mark{Key: [32]byte{byte(n), byte(n >> 8)}, Slot: n})
	}
	b := l.Snapshot([32]byte{5}, now)
	if most := (maxClaims + maxMarks + 10) * recordSize; len(b) > most {
		t.Errorf("%d bytes, want at most %d", len(b), most)
	}
	_, h, _ := Read(b, who, now)
	if !h.Complete || len(h.Claims) != maxClaims || h.Floor != 10_099 || len(h.Marks) != maxMarks {
		t.Errorf("complete %v, %d claims, floor %d, %d marks", h.Complete, len(h.Claims), h.Floor, len(h.Marks))
	}
}

// Whatever the bytes are: no panic, no claim out of nowhere, and complete only what was written so.
func FuzzRead(f *testing.F) {
	whole := sample(f)
	f.Add(whole, 0, 0)
	f.Add(whole[:len(whole)-7], 3, 200)
	f.Add([]byte("\x01\x01"), 0, 0)
	f.Fuzz(func(t *testing.T, data []byte, at, flip int) {
		if at > 0 && at < len(whole) { // a whole file with something else spliced in
			data = append(append([]byte(nil), whole[:at]...), data...)
		}
		if flip > 0 && flip/8 < len(data) {
			data[flip/8] ^= 1 << (flip % 8)
		}
		_, h, err := Read(data, who, now)
		if err != nil {
			return
		}
		onlyTrue(t, "fuzz", h)
		if h.Complete && len(h.Claims) < 4 {
			t.Errorf("complete, with %d of the 4 claims of its snapshot", len(h.Claims))
		}
	})
}

// What the cluster agreed to, or the network has, takes the place of what was claimed here alone; nothing
// takes the place of that. It is the same in the ledger, in the file, and in the next file.
func TestAgreedClaims(t *testing.T) {
	mine := func(slot, n uint32) Claim { return Claim{Producer: bpA, Slot: slot, ID: id(slot + n<<8)} }
	agreed := func(slot, n uint32) Claim { c := mine(slot, n); c.Agreed = true; return c }
	foreign := func(slot, n uint32) Claim { c := mine(slot, n); c.Foreign = true; return c }
	for i, c := range []struct {
		told []Claim
		took []bool
		want Claim
	}{
		{[]Claim{mine(1000, 1), agreed(1000, 2)}, []bool{true, true}, agreed(1000, 2)},
		{[]Claim{mine(1000, 1), agreed(1000, 1)}, []bool{true, true}, agreed(1000, 1)},
		{[]Claim{mine(1000, 1), foreign(1000, 2)}, []bool{true, true}, foreign(1000, 2)},
		{[]Claim{mine(1000, 1), mine(1000, 2)}, []bool{true, false}, mine(1000, 1)},
		{[]Claim{agreed(1000, 1), mine(1000, 2)}, []bool{true, false}, agreed(1000, 1)},
		{[]Claim{agreed(1000, 1), agreed(1000, 2)}, []bool{true, false}, agreed(1000, 1)},
		{[]Claim{agreed(1000, 1), foreign(1000, 2)}, []bool{true, false}, agreed(1000, 1)},
		{[]Claim{foreign(1000, 1), agreed(1000, 2)}, []bool{true, false}, foreign(1000, 1)},
		{[]Claim{agreed(1000, 1), mine(1000, 1)}, []bool{true, true}, agreed(1000, 1)},
	} {
		l, _, _ := Read(nil, who, now)
		data := l.Snapshot([32]byte{1}, now)
		for k, cl := range c.told {
			if took := l.Claim(cl); took != c.took[k] {
				t.Errorf("%d: claim %d taken: %t", i, k, took)
			} else if took {
				data = l.AppendClaim(data, cl, now)
			}
		}
		for _, file := range [][]byte{data, l.Snapshot([32]byte{2}, now)} {
			_, h, err := Read(file, who, now)
			if err != nil || !h.Complete || len(h.Claims) != 1 || h.Claims[0] != c.want {
				t.Errorf("%d: %+v, %v; want %+v", i, h, err, c.want)
			}
		}
	}
}
