package core

import "math/bits"

// buf is one frame kept beyond the pass that read it: pooled and counted, shared by every queue,
// the ring and the held candidates that need it.
type buf struct {
	b    []byte
	refs int32
	// own marks a claimed own block, whose way through the relay is measured.
	own bool
	// at is the monotonic time (ns) the frame was complete.
	at int64
}

const (
	minClass = 9  // 512 B
	maxClass = 24 // 16 MiB
)

// bufPool keeps freed frames by size class, up to limit bytes in all.
type bufPool struct {
	free  [maxClass + 1][]*buf
	kept  int
	limit int
	live  int // bytes handed out
}

func class(n int) int {
	c := bits.Len(uint(max(n, 1) - 1))
	return max(c, minClass)
}

// get returns an empty buf with room for n bytes and one reference.
func (p *bufPool) get(n int) *buf {
	cl := class(n)
	p.live += 1 << cl
	if l := p.free[cl]; len(l) > 0 {
		b := l[len(l)-1]
		p.free[cl] = l[:len(l)-1]
		p.kept -= 1 << cl
		b.b, b.refs, b.own, b.at = b.b[:0], 1, false, 0
		return b
	}
	return &buf{b: make([]byte, 0, 1<<cl), refs: 1}
}

func (b *buf) retain() *buf {
	b.refs++
	return b
}

func (p *bufPool) release(b *buf) {
	if b == nil {
		return
	}
	b.refs--
	if b.refs > 0 {
		return
	}
	if b.refs < 0 {
		panic("core: frame released twice")
	}
	n := cap(b.b)
	p.live -= n
	if p.kept+n > p.limit {
		return
	}
	p.kept += n
	cl := class(n)
	p.free[cl] = append(p.free[cl], b)
}
