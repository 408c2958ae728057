package core

import "hash/maphash"

// ballots remembers who has voted for which recent block as far as that is proven. nodeos looks for a
// duplicate before it looks at a signature: a bad twin of a vote that a node has proves nothing by the
// node's keeping its link, and is of use to nobody.
type ballots struct {
	now, old map[uint64]struct{}
}

// ballotsKept is how many are remembered at least: those of some seconds.
const ballotsKept = 4096

func (b *ballots) init() {
	b.now, b.old = make(map[uint64]struct{}, ballotsKept), make(map[uint64]struct{}, ballotsKept)
}

// ballot is the hash of block and finalizer key.
func (c *Core) ballot(block, key []byte) uint64 {
	return maphash.Bytes(c.canary.seed, block) ^ maphash.Bytes(c.canary.seed, key)*0x9e3779b97f4a7c15
}

func (b *ballots) has(h uint64) bool {
	if _, ok := b.now[h]; ok {
		return true
	}
	_, ok := b.old[h]
	return ok
}

// add remembers one, and tells whether it is new.
func (b *ballots) add(h uint64) bool {
	if b.has(h) {
		return false
	}
	if len(b.now) >= ballotsKept {
		b.now, b.old = b.old, b.now
		clear(b.now)
	}
	b.now[h] = struct{}{}
	return true
}
