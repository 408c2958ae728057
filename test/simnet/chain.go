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
	public     map[p2pwire.Name]p2pwire.K1Key
	finalizers []FinalizerKey
	weights    []uint64
	threshold  uint64
	byPub      map[[finalizerKeySize]byte]int
	genesis    *block

	mu       sync.Mutex
	verified map[[32]byte]bool // digests of (signing digest, signature, key): saves recoveries
}

// NewChain panics on names that are not EOSIO names: chains are written by
// hand, in tests.
func NewChain(cfg ChainConfig) *Chain {
	if cfg.Genesis == 0 {
		cfg.Genesis = 1697120000
	}
	c := &Chain{
		cfg:      cfg,
		id:       seedID("chain", cfg.Seed, uint64(cfg.Mode)),
		keys:     map[p2pwire.Name]*p2pwire.K1Private{},
		public:   map[p2pwire.Name]p2pwire.K1Key{},
		byPub:    map[[finalizerKeySize]byte]int{},
		verified: map[[32]byte]bool{},
	}
	for _, p := range cfg.Producers {
		name := mustName(p)
		c.producers = append(c.producers, name)
		key := producerKey(cfg.Seed, p)
		c.keys[name], c.public[name] = key, key.Public()
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

// ProducerKey returns the public key producer's blocks are signed with.
func (c *Chain) ProducerKey(producer string) p2pwire.K1Key { return c.public[mustName(producer)] }

// FinalizerKey returns the chain's finalizer key of that name, in the policy or
// not.
func (c *Chain) FinalizerKey(name string) FinalizerKey { return NewFinalizerKey(c.cfg.Seed, name) }

// makeGenesis is block 1: never sent, the same for all.
func (c *Chain) makeGenesis() *block {
	h := header{slot: c.cfg.Genesis, producer: mustName("eosio"), confirmed: 1, action: seedID("genesis", c.cfg.Seed)}
	if c.cfg.Mode == Savanna {
		h.confirmed, h.savanna, h.qc = 0, true, p2pwire.QCClaim{Num: 1, Strong: true}
	}
	b := &block{slot: h.slot, producer: h.producer, num: 1, validated: true, inDB: true}
	b.id = h.id()
	if c.cfg.Mode == Savanna {
		b.qc, b.qcSlot, b.lib = h.qc, h.slot, 1
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

// signedBy reports whether sig (66 bytes) over digest recovers to producer's key.
func (c *Chain) signedBy(producer p2pwire.Name, digest p2pwire.ID, sig []byte) bool {
	key, ok := c.public[producer]
	if !ok {
		return false
	}
	h := sha256.New()
	h.Write(digest[:])
	h.Write(sig)
	h.Write(key[:])
	var memo [32]byte
	h.Sum(memo[:0])
	c.mu.Lock()
	good, known := c.verified[memo]
	c.mu.Unlock()
	if known {
		return good
	}
	got, err := p2pwire.RecoverK1(digest, sig)
	good = err == nil && got == key
	c.mu.Lock()
	if len(c.verified) > 1<<14 {
		clear(c.verified)
	}
	c.verified[memo] = good
	c.mu.Unlock()
	return good
}

// trxSignature is the one signature a simulated transaction is valid with.
func trxSignature(id p2pwire.ID) []byte {
	sig := make([]byte, 66)
	expand(sig[1:], "trx", id[:])
	sig[1] = 31
	return sig
}

// Transaction builds the frame of a transaction that is unique for nonce and
// expires at the given time (unix seconds).
func (c *Chain) Transaction(nonce uint64, expiration uint32) (frame []byte, id p2pwire.ID) {
	trx := binary.LittleEndian.AppendUint32(nil, expiration)
	trx = append(trx, 0, 0, 0, 0, 0, 0)                                                  // ref_block_num, ref_block_prefix
	trx = append(trx, 0, 0, 0)                                                           // max_net_usage_words, max_cpu_usage_ms, delay_sec
	trx = append(trx, 0)                                                                 // context_free_actions
	trx = append(trx, 1)                                                                 // actions
	trx = binary.LittleEndian.AppendUint64(trx, uint64(mustName("eosio")))               // account
	trx = binary.LittleEndian.AppendUint64(trx, uint64(mustName("reqauth")))             // action name
	trx = append(trx, 1)                                                                 // authorization
	trx = binary.LittleEndian.AppendUint64(trx, uint64(mustName("eosio")))               // actor
	trx = binary.LittleEndian.AppendUint64(trx, uint64(mustName("active")))              // permission
	trx = binary.LittleEndian.AppendUint64(append(trx, 8), nonce^uint64(c.cfg.Seed)<<32) // data
	trx = append(trx, 0)                                                                 // transaction_extensions
	id = sha256.Sum256(trx)
	return appendTransaction(nil, id, trx), id
}

// appendTransaction writes the frame of an uncompressed packed_transaction with
// its valid signature.
func appendTransaction(dst []byte, id p2pwire.ID, trx []byte) []byte {
	body := append([]byte{1}, trxSignature(id)...)
	body = append(body, 0, 0) // compression none, no context-free data
	body = appendVarint(body, uint32(len(trx)))
	body = append(body, trx...)
	return p2pwire.AppendRawFrame(dst, p2pwire.TypePackedTransaction, body)
}
