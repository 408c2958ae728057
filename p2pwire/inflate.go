package p2pwire

import (
	"compress/zlib"
	"io"
)

const (
	// MaxInflated is nodeos' limit for one inflated part of a transaction, in
	// bytes (its read_limiter).
	MaxInflated = 1 << 20

	// MaxBlockInflated bounds what one [Block.Check] inflates in total, in bytes.
	// Compressed parts beyond it are taken unseen: otherwise 8 MiB of zeros'
	// worth of deflate would cost seconds of work.
	MaxBlockInflated = 16 << 20
)

// inflate returns the inflated src, valid until the next call. It takes what
// nodeos' boost zlib_decompressor takes: a truncated stream or a bad checksum
// fails, bytes after the stream's end do not matter.
func (s *Scratch) inflate(src []byte) ([]byte, error) {
	s.src.Reset(src)
	defer s.src.Reset(nil)
	if s.zlib == nil {
		r, err := zlib.NewReader(&s.src)
		if err != nil {
			return nil, ErrInflate
		}
		s.zlib = r
	} else if err := s.zlib.(zlib.Resetter).Reset(&s.src, nil); err != nil {
		return nil, ErrInflate
	}
	if s.inflated == nil {
		s.inflated = make([]byte, 16<<10)
	}
	for n := 0; ; {
		m, err := s.zlib.Read(s.inflated[n:])
		n += m
		switch {
		case n > MaxInflated:
			return nil, ErrInflate
		case err == io.EOF:
			s.budget -= n
			return s.inflated[:n], nil
		case err != nil:
			return nil, ErrInflate
		case n == len(s.inflated):
			bigger := make([]byte, min(4*n, MaxInflated+1))
			copy(bigger, s.inflated)
			s.inflated = bigger
		}
	}
}
