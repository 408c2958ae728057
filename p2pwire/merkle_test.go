package p2pwire

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// merkleReference is the definition written down directly: a recursive split
// for savanna, and legacy's loop over a growing slice.
func merkleReference(ids []ID, savanna bool) ID {
	pair := func(a, b ID) ID { return sha256.Sum256(append(append([]byte(nil), a[:]...), b[:]...)) }
	if len(ids) == 0 {
		return ID{}
	}
	if savanna {
		if len(ids) == 1 {
			return ids[0]
		}
		mid := 1
		for mid*2 < len(ids) {
			mid *= 2
		}
		return pair(merkleReference(ids[:mid], true), merkleReference(ids[mid:], true))
	}
	ids = append([]ID(nil), ids...)
	for len(ids) > 1 {
		if len(ids)%2 == 1 {
			ids = append(ids, ids[len(ids)-1])
		}
		var up []ID
		for i := 0; i < len(ids); i += 2 {
			l, r := ids[i], ids[i+1]
			l[0] &= 0x7f
			r[0] |= 0x80
			up = append(up, pair(l, r))
		}
		ids = up
	}
	return ids[0]
}

func TestMerkleRoot(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 70 {
		ids := make([]ID, n)
		for i := range ids {
			binary.LittleEndian.PutUint64(ids[i][:], rng.Uint64())
		}
		for _, savanna := range []bool{false, true} {
			want := merkleReference(ids, savanna)
			if got := merkleRoot(append([]ID(nil), ids...), savanna); got != want {
				t.Fatalf("%d leaves, savanna %v: %s, want %s", n, savanna, got, want)
			}
		}
	}
}
