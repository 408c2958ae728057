package simnet

import (
	"fmt"

	"bprelay/p2pwire"
)

// blockKey is a producer's key, K1 or R1.
type blockKey interface {
	p2pwire.Signer
	Public() p2pwire.PublicKey
}

// rotation is a change of a producer's key.
type rotation struct {
	at  p2pwire.Slot
	key blockKey
}

// Rotate changes the key of producer's blocks to an R1 key from slot at on, a
// round's first that is yet to come, as a new schedule does. It returns the new
// key. Every node has it, as with two signature-provider lines.
func (c *Chain) Rotate(producer string, at p2pwire.Slot) p2pwire.PublicKey {
	key := p2pwire.R1PrivateFromSeed(fmt.Sprintf("simnet/%d/%s/%d", c.cfg.Seed, producer, at))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rotations[mustName(producer)] = rotation{at, key}
	return key.Public()
}

// keyAt returns the key producer's block of that slot is signed with, nil for a
// producer that is not the chain's.
func (c *Chain) keyAt(producer p2pwire.Name, slot p2pwire.Slot) blockKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.rotations[producer]; ok && slot >= r.at {
		return r.key
	}
	if key, ok := c.keys[producer]; ok {
		return key
	}
	return nil
}
