package core

import (
	"crypto/sha256"

	"bprelay/p2pwire"
)

// offloadBytes is the frame size above which hashing and checking leave the loop.
const offloadBytes = 256 << 10

// Job is the expensive part of one large frame: pure work on bytes, which the driver runs off the
// loop and hands back with JobDone. Until then nothing more of its session is looked at.
type Job struct {
	Session SessionID
	frame   *buf
	digest  [32]byte
	err     error
}

// Run does the work; any goroutine may, with a Scratch of its own.
func (j *Job) Run(s *p2pwire.Scratch) {
	f := p2pwire.Frame(j.frame.b)
	j.digest = sha256.Sum256(f.Payload())
	if f.Type() == p2pwire.TypePackedTransaction {
		_, j.err = p2pwire.ParseTransaction(f.Body(), s)
		return
	}
	b, err := p2pwire.ParseBlock(f.Body())
	if err == nil {
		err = b.Check(s)
	}
	j.err = err
}

// Jobs appends the work that came up since the last call.
func (c *Core) Jobs(dst []*Job) []*Job {
	dst = append(dst, c.jobs...)
	clear(c.jobs)
	c.jobs = c.jobs[:0]
	return dst
}

// offload takes a large frame off the loop; the session waits for it.
func (c *Core) offload(s *session, f p2pwire.Frame, owned *buf) {
	if !c.reserve(s, capFor(len(f))) {
		return
	}
	j := &Job{Session: s.id, frame: c.keep(f, owned)}
	s.job = j
	c.jobs = append(c.jobs, j)
}

// JobDone brings back a finished job: its frame is handled, then what its session sent meanwhile.
func (c *Core) JobDone(now Instant, j *Job) {
	c.enter(now)
	defer c.settle()
	c.rxBytes -= capFor(len(j.frame.b))
	defer c.pool.release(j.frame)
	s := c.sessions[j.Session]
	if s == nil || s.closing {
		return
	}
	s.job = nil
	c.done = j
	c.dispatch(s, p2pwire.Frame(j.frame.b), j.frame)
	c.done = nil
	if b := s.backlog; b != nil && !s.closing {
		s.backlog = nil
		c.take(s, b.b)
		c.rxBytes -= cap(b.b)
		c.pool.release(b)
	}
}

// postpone keeps bytes of a session that waits for a job.
func (c *Core) postpone(s *session, chunk []byte) {
	have := 0
	if s.backlog != nil {
		have = len(s.backlog.b)
	}
	need := have + len(chunk)
	if need > 2*p2pwire.MaxPayload {
		c.end(s, ReasonReassembly)
		return
	}
	if s.backlog == nil || need > cap(s.backlog.b) {
		old := 0
		if s.backlog != nil {
			old = cap(s.backlog.b)
		}
		if !c.reserve(s, capFor(need)-old) {
			return
		}
		bigger := c.pool.get(need)
		if s.backlog != nil {
			bigger.b = append(bigger.b, s.backlog.b...)
			c.pool.release(s.backlog)
		}
		s.backlog = bigger
	}
	s.backlog.b = append(s.backlog.b, chunk...)
}

// digestOf is the identity of a frame: the SHA-256 of its whole payload.
func (c *Core) digestOf(f p2pwire.Frame) [32]byte {
	if c.done != nil {
		return c.done.digest
	}
	return sha256.Sum256(f.Payload())
}

func (c *Core) checkBlock(v *p2pwire.Block) error {
	if c.done != nil {
		return c.done.err
	}
	return v.Check(&c.scratch)
}

func (c *Core) checkTransaction(f p2pwire.Frame) error {
	if c.done != nil {
		return c.done.err
	}
	_, err := p2pwire.ParseTransaction(f.Body(), &c.scratch)
	return err
}
