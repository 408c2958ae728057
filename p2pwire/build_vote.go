package p2pwire

// AppendVote appends a vote_message body to dst. Key and signature are taken as
// they are: nothing here makes or checks BLS.
func AppendVote(dst []byte, blockID ID, strong bool, key [FinalizerKeySize]byte, sig [FinalizerSigSize]byte) []byte {
	dst = appendBool(append(dst, blockID[:]...), strong)
	dst = append(append(dst, FinalizerKeySize), key[:]...)
	return append(append(dst, finalizerSigLenLo, finalizerSigLenHi), sig[:]...)
}
