package simnet

import (
	"bytes"
	"maps"
	"slices"

	"bprelay/p2pwire"
)

// State is what a node keeps across a restart: block log, fork database and
// safety.dat. Votes, transactions, watermarks and peers' records are lost, as
// in nodeos. A State may be given to several nodes; none changes it.
type State struct {
	boots      uint64
	log        []logged
	root       *block
	blocks     []*block // above root, by number
	head       p2pwire.ID
	finalizers []finalizer
}

// Store returns the state a restart with [Config].State would begin from. It
// works on a node that was killed, too: nodeos 1.2 keeps its fork database and
// safety.dat on disk at any moment.
func (n *Node) Store() *State {
	s := &State{
		boots: 1,
		log:   slices.Clone(n.log),
		head:  n.head.id,
	}
	if n.cfg.State != nil {
		s.boots = n.cfg.State.boots + 1
	}
	blocks := slices.SortedFunc(maps.Values(n.db.blocks), func(a, b *block) int {
		return bytes.Compare(a.id[:], b.id[:])
	})
	s.root, s.blocks = cloneBlocks(blocks)
	for _, f := range n.finalizers {
		s.finalizers = append(s.finalizers, *f)
	}
	return s
}

// cloneBlocks copies a fork database, given parents first, without its votes.
func cloneBlocks(from []*block) (root *block, rest []*block) {
	copies := map[p2pwire.ID]*block{}
	for i, b := range from {
		c := *b
		c.votes, c.parent = nil, nil
		copies[b.id] = &c
		if i == 0 {
			root = &c
			continue
		}
		c.parent = copies[b.parent.id]
		rest = append(rest, &c)
	}
	return root, rest
}

// restore loads a state, or genesis when s is nil.
func (n *Node) restore(s *State) {
	if s == nil {
		g := *n.chain.genesis
		s = &State{root: &g, head: g.id, log: []logged{{id: g.id}}}
	}
	n.log = slices.Clone(s.log)
	root, blocks := cloneBlocks(append([]*block{s.root}, s.blocks...))
	n.db = newForkDB(n.chain.cfg.Mode, root)
	for _, b := range blocks {
		n.db.add(b)
	}
	n.head = n.db.get(s.head)
	for _, name := range n.cfg.Finalizers {
		f := &finalizer{key: n.chain.FinalizerKey(name), index: unknownFinalizer}
		if i, ok := n.chain.byPub[f.key.Pub]; ok {
			f.index = i
		}
		f.lock = blockRef{id: n.db.root.id, slot: n.db.root.slot}
		for _, old := range s.finalizers {
			if old.key == f.key {
				*f = old
				f.voted = false
			}
		}
		n.finalizers = append(n.finalizers, f)
	}
}
