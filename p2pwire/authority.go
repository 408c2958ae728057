package p2pwire

import (
	"errors"
	"fmt"
	"slices"
)

// KeyWeight is one key of an [Authority].
type KeyWeight struct {
	Key    PublicKey
	Weight uint16
}

// Authority is nodeos' block_signing_authority_v0: who may sign a producer's
// blocks. Signatures of distinct keys whose weights reach the threshold are
// needed. A producer with one key has threshold 1 and weight 1.
type Authority struct {
	Threshold uint32
	Keys      []KeyWeight
}

// MaxAuthorityKeys is the most keys an authority may have here; nodeos has no
// bound.
const MaxAuthorityKeys = 64

// ErrAuthority is what errors about authorities nothing can satisfy match.
var ErrAuthority = errors.New("impossible authority")

// AnyOf is the authority that each of the keys satisfies alone.
func AnyOf(keys ...PublicKey) Authority {
	a := Authority{Threshold: 1}
	for _, k := range keys {
		a.Keys = append(a.Keys, KeyWeight{k, 1})
	}
	return a
}

// Weight is the sum of all keys' weights.
func (a Authority) Weight() uint32 {
	var sum uint32
	for _, k := range a.Keys {
		sum += uint32(k.Weight)
	}
	return sum
}

// AuthorityVerifier checks blocks of a producer with a known authority. It is
// immutable.
type AuthorityVerifier struct {
	threshold uint32
	keys      []*Verifier
	weights   []uint16
}

// NewAuthorityVerifier prepares an authority. The error matches [ErrAuthority]
// when set_proposed_producers would refuse it (threshold 0 or out of reach, a key
// twice), a weight is 0 or there are more than [MaxAuthorityKeys], [ErrKey] when
// a key is no key.
func NewAuthorityVerifier(a Authority) (*AuthorityVerifier, error) {
	switch {
	case a.Threshold == 0:
		return nil, fmt.Errorf("%w: threshold 0", ErrAuthority)
	case len(a.Keys) > MaxAuthorityKeys:
		return nil, fmt.Errorf("%w: %d keys", ErrAuthority, len(a.Keys))
	case a.Weight() < a.Threshold:
		return nil, fmt.Errorf("%w: threshold %d, all weights together %d", ErrAuthority, a.Threshold, a.Weight())
	}
	v := &AuthorityVerifier{threshold: a.Threshold}
	for i, k := range a.Keys {
		if k.Weight == 0 {
			return nil, fmt.Errorf("%w: weight 0 of key %s", ErrAuthority, k.Key)
		}
		if slices.ContainsFunc(a.Keys[:i], func(o KeyWeight) bool { return o.Key == k.Key }) {
			return nil, fmt.Errorf("%w: key %s twice", ErrAuthority, k.Key)
		}
		one, err := NewVerifier(k.Key)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", k.Key, err)
		}
		v.keys, v.weights = append(v.keys, one), append(v.weights, k.Weight)
	}
	return v, nil
}

// Verify reports whether a proper Savanna block is signed as nodeos' verify_signee
// demands: every signature, additional ones included, is by a key of the
// authority, no key signed twice, and together they reach the threshold. One
// signature too many makes a block as bad as one too few. With K1 keys it does
// not allocate.
func (v *AuthorityVerifier) Verify(b *Block) bool {
	if !b.Savanna {
		return false
	}
	var signed, weight = uint64(0), uint32(0)
	w := b.Signatures()
	for sig := w.Next(); sig != nil; sig = w.Next() {
		i := slices.IndexFunc(v.keys, func(k *Verifier) bool { return k.Verify(b.ID, sig) })
		if i < 0 || signed&(1<<i) != 0 {
			return false
		}
		signed |= 1 << i
		weight += uint32(v.weights[i])
	}
	return w.Err() == nil && weight >= v.threshold
}

// Signers returns the keys that signed a proper Savanna block, in the order of
// their bytes. The error matches [ErrSignature] if one signature leads to no key,
// two lead to the same one, or the block is not a Savanna one, whose signed
// digest only the chain's state tells; or it is that of [Signatures.Err].
func (b Block) Signers() ([]PublicKey, error) {
	if !b.Savanna {
		return nil, fmt.Errorf("%w: of a legacy block", ErrSignature)
	}
	var keys []PublicKey
	w := b.Signatures()
	for sig := w.Next(); sig != nil; sig = w.Next() {
		key, err := Recover(b.ID, sig)
		if err != nil {
			return nil, err
		}
		at, twice := slices.BinarySearchFunc(keys, key, func(a, b PublicKey) int { return slices.Compare(a[:], b[:]) })
		if twice {
			return nil, fmt.Errorf("%w: %s signed twice", ErrSignature, key)
		}
		keys = slices.Insert(keys, at, key)
	}
	if err := w.Err(); err != nil {
		return nil, err
	}
	return keys, nil
}
