package p2pwire

import (
	"bytes"
	"hash"
	"io"
)

// Scratch is the working memory of [Block.Check] and [ParseTransaction]. The
// zero value is ready; reused, it makes both free of allocations. It grows to
// at most about 1 MiB for inflated data plus 32 bytes per transaction of the
// largest block seen. It is for one goroutine at a time and keeps nothing of a
// message between calls.
type Scratch struct {
	leaves   []ID   // transaction digests of a block
	inflated []byte // one inflated part
	small    [64]byte
	digest   ID
	hash     hash.Hash
	src      bytes.Reader
	zlib     io.ReadCloser
	budget   int // bytes that may still be inflated in this call
}
