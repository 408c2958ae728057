package p2pwire

import "crypto/sha256"

// merkleRoot reduces leaves in place to their root; none gives the zero digest.
//
// Savanna (calculate_merkle) splits at the largest power of two, which is the
// same as pairing level by level and carrying an odd last one up. Legacy
// (calculate_merkle_legacy) pairs an odd last one with itself, and marks each
// side in the top bit of its first byte: 0 left, 1 right.
func merkleRoot(leaves []ID, savanna bool) ID {
	if len(leaves) == 0 {
		return ID{}
	}
	var pair [64]byte
	for n := len(leaves); n > 1; n = (n + 1) / 2 {
		for i := 0; i < n; i += 2 {
			left, right := i, min(i+1, n-1)
			if savanna && left == right {
				leaves[i/2] = leaves[i]
				continue
			}
			copy(pair[:32], leaves[left][:])
			copy(pair[32:], leaves[right][:])
			if !savanna {
				pair[0] &= 0x7f
				pair[32] |= 0x80
			}
			leaves[i/2] = sha256.Sum256(pair[:])
		}
	}
	return leaves[0]
}
