package simnet

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	"bprelay/p2pwire"
)

// Mode is the consensus a chain runs.
type Mode uint8

const (
	// Legacy is DPoS: a block is irreversible when 2/3+1 producers have
	// confirmed blocks that confirm it.
	Legacy Mode = iota
	// Savanna is finality by votes of finalizers.
	Savanna
)

func (m Mode) String() string {
	if m == Savanna {
		return "savanna"
	}
	return "legacy"
}

// futureTolerance is how far ahead of a producer node's clock a block may be
// (nodeos v1.2.2: only nodes with producer-name check it).
const futureTolerance = 7e9

// Finalizer is one entry of the finalizer policy. The description decides which
// class of the vote-pause tracker its votes count for.
type Finalizer struct {
	Description string
	Weight      uint64 // zero counts as 1
	Key         string // name of the key, as in Config.Finalizers; empty means Description
}

// ChainConfig describes a chain. It is in its final mode from the first block:
// the switch to Savanna is not simulated.
type ChainConfig struct {
	Mode       Mode
	Seed       uint64
	Genesis    p2pwire.Slot // timestamp of block 1; zero means 1697120000
	Producers  []string     // the schedule, in order, 12 slots each
	Finalizers []Finalizer  // Savanna; nil means one per producer, described by its name
	Threshold  uint64       // weight for a quorum; zero means 2/3 of the total, plus 1
}

// Chain is what all nodes of one chain agree on beforehand: genesis, schedule,
// keys, finalizer policy. It is safe for concurrent use.
type Chain struct {
	cfg        ChainConfig
	id         p2pwire.ID
	producers  []p2pwire.Name
	keys       map[p2pwire.Name]*p2pwire.K1Private
	rotations  map[p2pwire.Name]rotation // guarded by mu
	finalizers []FinalizerKey
	weights    []uint64
	threshold  uint64
	byPub      map[[p2pwire.FinalizerKeySize]byte]int
	genesis    *block

	mu       sync.Mutex
	verified map[[32]byte]bool // digests of (signing digest, signature, key): saves recoveries
}

// maxFinalizers in a policy: a certificate keeps its voters in one word.
const maxFinalizers = 64

// NewChain panics on names that are not EOSIO names: chains are written by
// hand, in tests.
func NewChain(cfg ChainConfig) *Chain {
	if cfg.Genesis == 0 {
		cfg.Genesis = 1697120000
	}
	c := &Chain{
		cfg:       cfg,
		id:        seedID("chain", cfg.Seed, uint64(cfg.Mode)),
		keys:      map[p2pwire.Name]*p2pwire.K1Private{},
		rotations: map[p2pwire.Name]rotation{},
		byPub:     map[[p2pwire.FinalizerKeySize]byte]int{},
		verified:  map[[32]byte]bool{},
	}
	for _, p := range cfg.Producers {
		name := mustName(p)
		c.producers = append(c.producers, name)
		key := p2pwire.K1PrivateFromSeed(fmt.Sprintf("simnet/%d/%s", cfg.Seed, p))
		c.keys[name] = key
	}
	if cfg.Mode == Savanna {
		c.setPolicy()
	}
	c.genesis = c.makeGenesis()
	return c
}

func (c *Chain) setPolicy() {
	policy := c.cfg.Finalizers
	if policy == nil {
		for _, p := range c.cfg.Producers {
			policy = append(policy, Finalizer{Description: p})
		}
	}
	if len(policy) > maxFinalizers {
		panic(fmt.Sprintf("simnet: %d finalizers, at most %d", len(policy), maxFinalizers))
	}
	c.cfg.Finalizers = policy
	total := uint64(0)
	for i, f := range policy {
		key := f.Key
		if key == "" {
			key = f.Description
		}
		k := c.FinalizerKey(key)
		c.finalizers = append(c.finalizers, k)
		c.weights = append(c.weights, max(f.Weight, 1))
		c.byPub[k.Pub] = i
		total += max(f.Weight, 1)
	}
	if c.threshold = c.cfg.Threshold; c.threshold == 0 {
		c.threshold = total*2/3 + 1
	}
}

func mustName(s string) p2pwire.Name {
	n, err := p2pwire.ParseName(s)
	if err != nil {
		panic(fmt.Sprintf("simnet: %q: %v", s, err))
	}
	return n
}

// ID returns the chain id.
func (c *Chain) ID() p2pwire.ID { return c.id }

// Mode returns the chain's consensus.
func (c *Chain) Mode() Mode { return c.cfg.Mode }

// GenesisTime returns the time of block 1, unix nanoseconds.
func (c *Chain) GenesisTime() int64 { return c.cfg.Genesis.Time() }

// GenesisID returns the id of block 1.
func (c *Chain) GenesisID() p2pwire.ID { return c.genesis.id }

// Producers returns the schedule, in order.
func (c *Chain) Producers() []p2pwire.Name { return c.producers }

// ProducerAt returns the producer whose turn slot is.
func (c *Chain) ProducerAt(slot p2pwire.Slot) p2pwire.Name {
	n := uint32(len(c.producers))
	return c.producers[uint32(slot)%(n*p2pwire.RoundSlots)/p2pwire.RoundSlots]
}

// NextRound returns the first slot of producer's next round that begins after
// slot. It panics when producer is not in the schedule.
func (c *Chain) NextRound(producer string, after p2pwire.Slot) p2pwire.Slot {
	name := mustName(producer)
	if _, ok := c.keys[name]; !ok {
		panic("simnet: " + producer + " is not in the schedule")
	}
	s := after - after%p2pwire.RoundSlots + p2pwire.RoundSlots
	for c.ProducerAt(s) != name {
		s += p2pwire.RoundSlots
	}
	return s
}

// ProducerKey returns the public key producer's blocks are signed with, unless it
// was changed: see Rotate.
func (c *Chain) ProducerKey(producer string) p2pwire.PublicKey {
	return c.keys[mustName(producer)].Public()
}

// SigningKey returns what signs producer's block of a slot, for who pretends to be it.
func (c *Chain) SigningKey(producer string, slot p2pwire.Slot) p2pwire.Signer {
	return c.keyAt(mustName(producer), slot)
}

// FinalizerKey returns the chain's finalizer key of that name, in the policy or
// not.
func (c *Chain) FinalizerKey(name string) FinalizerKey { return NewFinalizerKey(c.cfg.Seed, name) }

// makeGenesis is block 1: never sent, the same for all.
func (c *Chain) makeGenesis() *block {
	h := p2pwire.BlockBuilder{Slot: c.cfg.Genesis, Producer: mustName("eosio"), ActionMRoot: seedID("genesis", c.cfg.Seed)}
	_, id := h.AppendBlock(nil)
	b := &block{id: id, slot: h.Slot, producer: h.Producer, num: 1, validated: true, inDB: true, lib: 1}
	if c.cfg.Mode == Savanna {
		b.qc, b.qcSlot = p2pwire.QCClaim{Num: 1, Strong: true}, h.Slot
	} else {
		b.legacy = &legacyState{
			impliedIRB:   make([]uint32, len(c.producers)),
			lastProduced: make([]uint32, len(c.producers)),
		}
	}
	return b
}

// signingDigest is what the producer signs. In Savanna the block id; before,
// nodeos mixes in chain state (blockroot merkle and pending schedule), for
// which the previous id and the chain id stand here.
func (c *Chain) signingDigest(headerBytes []byte, id, previous p2pwire.ID) p2pwire.ID {
	if c.cfg.Mode == Savanna {
		return id
	}
	inner := sha256.Sum256(headerBytes)
	mixed := sha256.Sum256(append(inner[:], previous[:]...))
	return sha256.Sum256(append(mixed[:], c.id[:]...))
}

// signedBy reports whether sig (66 bytes) over digest recovers to producer's
// key. What the chain's own nodes signed needs no recovery.
func (c *Chain) signedBy(producer p2pwire.Name, slot p2pwire.Slot, digest p2pwire.ID, sig []byte) bool {
	by := c.keyAt(producer, slot)
	if by == nil {
		return false
	}
	key := by.Public()
	memo := signatureMemo(digest, sig, key)
	c.mu.Lock()
	good, known := c.verified[memo]
	c.mu.Unlock()
	if known {
		return good
	}
	got, err := p2pwire.Recover(digest, sig)
	good = err == nil && got == key
	c.remember(memo, good)
	return good
}

// signedHere notes the signature of a block just made with producer's key.
func (c *Chain) signedHere(body []byte, producer p2pwire.Name) {
	if b, err := p2pwire.ParseBlock(body); err == nil {
		digest := c.signingDigest(b.Header(), b.ID, b.Previous)
		c.remember(signatureMemo(digest, b.Signature(), c.keyAt(producer, b.Slot).Public()), true)
	}
}

func signatureMemo(digest p2pwire.ID, sig []byte, key p2pwire.PublicKey) [32]byte {
	buf := make([]byte, 0, 32+66+33)
	buf = append(buf, digest[:]...)
	buf = append(buf, sig...)
	return sha256.Sum256(append(buf, key[:]...))
}

func (c *Chain) remember(memo [32]byte, good bool) {
	const most = 1 << 14
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.verified) >= most {
		clear(c.verified)
	}
	c.verified[memo] = good
}

// trxSignature is the one signature a simulated transaction is valid with.
func trxSignature(id p2pwire.ID) (sig [66]byte) {
	expand(sig[1:], "trx", id[:])
	sig[1] = 31
	return sig
}

// Transaction builds the frame of a transaction that is unique for nonce and
// expires at the given time (unix seconds).
func (c *Chain) Transaction(nonce uint64, expiration uint32) (frame []byte, id p2pwire.ID) {
	payload := binary.LittleEndian.AppendUint64(nil, nonce)
	unsigned := tail{buf: p2pwire.AppendTransaction(nil, expiration, 1, uint32(c.cfg.Seed), payload)}
	_, packed, _ := unsigned.transaction()
	id = sha256.Sum256(packed)
	body := p2pwire.AppendTransaction(nil, expiration, 1, uint32(c.cfg.Seed), payload, trxSignature(id))
	return p2pwire.AppendRawFrame(nil, p2pwire.TypePackedTransaction, body), id
}
