package p2pwire

import "github.com/eoscanada/eos-go/ecc"

// Wire sizes in bytes of a K1 (or R1) public key and signature, variant index
// included.
const (
	K1KeySize = 34
	K1SigSize = 66
)

// Alternatives of fc::crypto::public_key and signature.
const (
	curveK1 = 0
	curveR1 = 1
	curveWA = 2
)

// skipPublicKey walks a public_key variant and returns what follows its index.
// As in nodeos' unpacker the point is not checked; a WebAuthn key must have a
// relying party id.
func (c *cursor) skipPublicKey(field string) (curve uint32, material []byte) {
	curve = c.variant(3, field)
	from := c.off
	c.skip(33, field)
	if curve == curveWA {
		c.u8(field) // user presence: nodeos takes any value
		if len(c.bytes(field)) == 0 {
			c.fail(field, ErrRange)
		}
	}
	return curve, c.buf[from:c.off]
}

// skipSignature walks a signature variant and returns what follows its index.
func (c *cursor) skipSignature(field string) (curve uint32, material []byte) {
	curve = c.variant(3, field)
	from := c.off
	c.skip(65, field)
	if curve == curveWA {
		c.bytes(field) // authenticator data
		c.bytes(field) // client JSON
	}
	return curve, c.buf[from:c.off]
}

// publicKey and signature copy: eos-go's types keep their bytes, and its text
// functions append to them.
func (c *cursor) publicKey(field string) ecc.PublicKey {
	curve, material := c.skipPublicKey(field)
	if c.err != nil {
		return ecc.PublicKey{}
	}
	key, err := ecc.NewPublicKeyFromData(variantData(curve, material))
	if err != nil {
		c.fail(field, ErrRange)
	}
	return key
}

func (c *cursor) signature(field string) ecc.Signature {
	curve, material := c.skipSignature(field)
	if c.err != nil {
		return ecc.Signature{}
	}
	sig, err := ecc.NewSignatureFromData(variantData(curve, material))
	if err != nil {
		c.fail(field, ErrRange)
	}
	return sig
}

func variantData(curve uint32, material []byte) []byte {
	data := make([]byte, 1+len(material))
	data[0] = byte(curve)
	copy(data[1:], material)
	return data
}

func appendPublicKey(dst []byte, k ecc.PublicKey) []byte {
	if len(k.Content) == 0 {
		return append(dst, make([]byte, K1KeySize)...)
	}
	return append(append(dst, byte(k.Curve)), k.Content...)
}

func appendSignature(dst []byte, s ecc.Signature) []byte {
	if len(s.Content) == 0 {
		return append(dst, make([]byte, K1SigSize)...)
	}
	return append(append(dst, byte(s.Curve)), s.Content...)
}

// emptyK1 tells nodeos' default key or signature: K1 and all zero.
func emptyK1(curve ecc.CurveID, content []byte) bool {
	if curve != ecc.CurveK1 {
		return false
	}
	for _, b := range content {
		if b != 0 {
			return false
		}
	}
	return true
}

// mustSignature wraps 66 bytes made by this package.
func mustSignature(data []byte) ecc.Signature {
	sig, err := ecc.NewSignatureFromData(variantData(uint32(data[0]), data[1:]))
	if err != nil {
		panic("p2pwire: " + err.Error())
	}
	return sig
}
