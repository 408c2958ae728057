package core

import (
	"cmp"
	"slices"

	"bprelay/p2pwire"
)

// better is nodeos' fork choice as far as headers show it: Savanna by the newest claimed block, then
// timestamp, then id; legacy by what is irreversible, then number, then id.
func (c *Core) better(a, b *block) bool {
	switch {
	case b == nil:
		return true
	case a.stub() || b.stub() || a.savanna != b.savanna:
		return a.num > b.num
	case a.savanna && a.qcNum != b.qcNum:
		return a.qcNum > b.qcNum
	case a.savanna && a.slot != b.slot:
		return a.slot > b.slot
	}
	if !a.savanna {
		if r := c.legacyRank(a, b); r != 0 {
			return r > 0
		}
	}
	return string(a.id[:]) > string(b.id[:])
}

// legacyRank tells which of two legacy blocks is on the better branch (1: a, -1: b, 0: neither, their ids
// decide, or who came first): the one with the higher irreversible block, then the higher one.
func (c *Core) legacyRank(a, b *block) int {
	f := c.fork(a, b)
	// Two branches of one producer: the higher one has at least as much that is irreversible.
	if f != nil && f != a && f != b && !(c.allBy(a, f, a.producer) && c.allBy(b, f, a.producer)) {
		if la, lb := c.irreversibleAt(a), c.irreversibleAt(b); la != lb {
			return cmp.Compare(la, lb)
		}
	}
	return cmp.Compare(a.num, b.num)
}

// allBy tells whether all blocks of a branch above one of its blocks are by one producer.
func (c *Core) allBy(x, above *block, producer p2pwire.Name) bool {
	for x != nil && x != above && x.producer == producer {
		x = c.blocks.get(x.prev)
	}
	return x == above
}

// irreversibles is scratch of irreversibleAt.
type irreversibles struct {
	path     []*block // the block and its ancestors
	proposed []uint32 // for each of them
	ends     []int32
}

// irreversibleSchedules is over how many schedules back what was confirmed is counted.
const irreversibleSchedules = 3

// irreversibleAt is the number of the last irreversible block as nodeos reckons it for a legacy block
// (dpos_irreversible_blocknum), from the headers that are known here: exact where these reach back over
// all producers' rounds, else too low, by the same on all branches. 0 while the schedule is not known.
//
// A block is proposed as irreversible when more than two thirds of the producers have confirmed it: each block
// confirms itself and, with its producer's first one of a round, those since the producer's last one. It is
// irreversible when more than two thirds of the producers have built on such a proposal.
func (c *Core) irreversibleAt(b *block) uint32 {
	n := int(c.slots.rounds.period)
	if n == 0 || n > maxPeriod {
		return 0
	}
	s := &c.irreversibles
	s.path = s.path[:0]
	for x := b; x != nil && x.producer != 0 && len(s.path) < irreversibleSchedules*n*p2pwire.RoundSlots; x = c.blocks.get(x.prev) {
		s.path = append(s.path, x)
	}
	s.proposed = append(s.proposed[:0], make([]uint32, len(s.path)+1)...)
	s.propose(n*2/3 + 1)
	var who [maxPeriod]p2pwire.Name
	var implied [maxPeriod]uint32
	seen := 0
	for i, x := range s.path {
		if seen < n && !slices.Contains(who[:seen], x.producer) {
			who[seen], implied[seen] = x.producer, s.proposed[i+1]
			seen++
		}
	}
	slices.Sort(implied[:n])
	return implied[(n-1)/3]
}

// propose finds for each block of the path the highest one that enough blocks have confirmed by then.
func (s *irreversibles) propose(need int) {
	for i := len(s.path) - 1; i >= 0; i-- {
		floor := s.proposed[i+1]
		s.proposed[i] = floor
		s.ends = append(s.ends[:0], make([]int32, len(s.path)-i)...)
		confirmed := 0
		for j := i; j < len(s.path) && s.path[j].num > floor; j++ {
			if confirmed++; confirmed >= need {
				s.proposed[i] = s.path[j].num
				break
			}
			if last := j + int(s.path[j].confirmed); last < len(s.path) {
				s.ends[last-i]++
			}
			confirmed -= int(s.ends[j-i])
		}
	}
}
