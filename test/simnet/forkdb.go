package simnet

import (
	"bytes"
	"cmp"

	"bprelay/p2pwire"
)

// forkDB holds the blocks above the root (the last irreversible block that was
// applied) and knows the best branch.
type forkDB struct {
	mode   Mode
	root   *block
	blocks map[p2pwire.ID]*block // root included
	best   *block
}

func newForkDB(mode Mode, root *block) *forkDB {
	return &forkDB{mode: mode, root: root, best: root, blocks: map[p2pwire.ID]*block{root.id: root}}
}

func (d *forkDB) get(id p2pwire.ID) *block { return d.blocks[id] }

// better is spring's branch order: legacy (irreversible number, number, id),
// Savanna (timestamp of the latest QC-claimed block, timestamp, id).
func (d *forkDB) better(a, b *block) bool {
	var c int
	if d.mode == Savanna {
		c = cmp.Or(cmp.Compare(a.qcSlot, b.qcSlot), cmp.Compare(a.slot, b.slot))
	} else {
		c = cmp.Or(cmp.Compare(a.lib, b.lib), cmp.Compare(a.num, b.num))
	}
	return cmp.Or(c, bytes.Compare(a.id[:], b.id[:])) > 0
}

func (d *forkDB) add(b *block) {
	b.inDB = true
	d.blocks[b.id] = b
	if d.better(b, d.best) {
		d.best = b
	}
}

// advance makes root an ancestor of the applied head and drops every branch
// that does not come from it. It returns the blocks that became irreversible,
// oldest first.
func (d *forkDB) advance(head *block, num uint32) (irreversible []*block) {
	root := head.ancestor(num)
	if root == nil || num <= d.root.num {
		return nil
	}
	for b := root; b != d.root; b = b.parent {
		irreversible = append(irreversible, b)
	}
	for i, j := 0, len(irreversible)-1; i < j; i, j = i+1, j-1 {
		irreversible[i], irreversible[j] = irreversible[j], irreversible[i]
	}
	d.root = root
	best := root
	keep := map[*block]bool{root: true}
	var follows func(b *block) bool
	follows = func(b *block) bool {
		if b == nil || b.num < root.num {
			return false
		}
		if k, known := keep[b]; known {
			return k
		}
		k := follows(b.parent)
		keep[b] = k
		return k
	}
	for id, b := range d.blocks {
		if !follows(b) {
			b.inDB = false
			delete(d.blocks, id)
			continue
		}
		if d.better(b, best) {
			best = b
		}
	}
	d.best = best
	root.parent = nil
	return irreversible
}
