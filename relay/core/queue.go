package core

// A session's outbound queues, in the order they are written.
const (
	queueSync    = iota // catch-up blocks
	queueGeneral        // blocks, votes, control
	queueTrx            // transactions
	numQueues
)

// queue is a FIFO of frames in a ring that grows and is reused.
type queue struct {
	frames []*buf
	head   int
	n      int
	bytes  int
}

func (q *queue) push(b *buf) {
	if q.n == len(q.frames) {
		grown := make([]*buf, max(16, 2*len(q.frames)))
		for i := range q.n {
			grown[i] = q.frames[(q.head+i)%len(q.frames)]
		}
		q.frames, q.head = grown, 0
	}
	q.frames[(q.head+q.n)%len(q.frames)] = b
	q.n++
	q.bytes += len(b.b)
}

func (q *queue) peek() *buf { return q.frames[q.head] }

func (q *queue) pop() *buf {
	b := q.frames[q.head]
	q.frames[q.head] = nil
	q.head = (q.head + 1) % len(q.frames)
	q.n--
	q.bytes -= len(b.b)
	return b
}

// send queues one frame for a session, within the bounds: transactions over their bound are
// dropped, any other queue over its bound ends the session.
func (c *Core) send(s *session, q int, b *buf) bool {
	if s.closing {
		return false
	}
	n := len(b.b)
	out := &s.out[q]
	switch q {
	case queueTrx:
		if out.bytes+n > c.cfg.TrxQueueBytes || c.queued+n > c.cfg.MemoryBytes/2 {
			c.stats.Dropped[ReasonTrxQueueFull]++
			s.stats.Dropped++
			return false
		}
	case queueGeneral:
		if out.bytes+n > c.cfg.QueueBytes {
			c.end(s, ReasonSlowConsumer)
			return false
		}
	case queueSync:
		if out.bytes+n > c.cfg.SyncQueueBytes {
			c.end(s, ReasonSlowConsumer)
			return false
		}
	}
	if c.queued+n > c.cfg.MemoryBytes {
		c.relieve()
		if s.closing {
			return false
		}
	}
	out.push(b.retain())
	c.queued += n
	if !s.inWritable {
		s.inWritable = true
		c.writable = append(c.writable, s)
	}
	return true
}

// relieve ends the session that holds most of the memory, network sessions before our nodes.
func (c *Core) relieve() {
	var worst *session
	for _, s := range c.byLane {
		if s == nil {
			continue
		}
		if worst == nil || (s.info.Side == Network && worst.info.Side == Internal) ||
			(s.info.Side == worst.info.Side && s.pending() > worst.pending()) {
			if s.pending() > 0 {
				worst = s
			}
		}
	}
	if worst != nil {
		c.end(worst, ReasonMemory)
	}
}

func (s *session) pending() int {
	n := 0
	for i := range s.out {
		n += s.out[i].bytes
	}
	return n
}

func (c *Core) drain(s *session, q *queue) {
	for q.n > 0 {
		b := q.pop()
		c.queued -= len(b.b)
		c.pool.release(b)
	}
	*q = queue{}
}

// Writable appends the sessions that have something queued.
func (c *Core) Writable(dst []SessionID) []SessionID {
	kept := c.writable[:0]
	for _, s := range c.writable {
		if s.closing || s.pending() == 0 {
			s.inWritable = false
			continue
		}
		kept = append(kept, s)
		dst = append(dst, s.id)
	}
	clear(c.writable[len(kept):])
	c.writable = kept
	return dst
}

// Take appends the session's next frames in the order they must be written: at least one if any is
// queued, then more while they fit into max bytes. They stay valid until Done. now is a fresh
// reading: the latency added to own blocks is measured here.
func (c *Core) Take(now Instant, id SessionID, max int, iov [][]byte) [][]byte {
	s := c.sessions[id]
	if s == nil || s.closing {
		return iov
	}
	total := 0
	for q := range s.out {
		out := &s.out[q]
		for out.n > 0 {
			n := len(out.peek().b)
			if total > 0 && total+n > max {
				c.afterTake(s)
				return iov
			}
			b := out.pop()
			c.queued -= n
			total += n
			s.taken = append(s.taken, b)
			iov = append(iov, b.b)
			s.stats.BytesOut += uint64(n)
			s.stats.FramesOut++
			c.stats.countOut(s.info.Side, b.b)
			if b.own && s.info.Side == Network {
				c.stats.AddedLatency.observe(int64(now.Mono) - b.at)
				c.slotLeft(now, b.b, int64(now.Mono)-b.at)
				b.own = false
			}
		}
	}
	c.afterTake(s)
	return iov
}

// Done releases what Take returned: the bytes were written or copied.
func (c *Core) Done(id SessionID) {
	if s := c.sessions[id]; s != nil {
		c.releaseTaken(s)
	}
}

func (c *Core) releaseTaken(s *session) {
	for i, b := range s.taken {
		c.pool.release(b)
		s.taken[i] = nil
	}
	s.taken = s.taken[:0]
}

// afterTake refills the catch-up queue of a session that is being brought up.
func (c *Core) afterTake(s *session) {
	if s.sync != nil && s.out[queueGeneral].bytes < syncLowWater {
		c.continueSync(s)
	}
}

// CloseRequests appends the sessions the core wants closed, each once.
func (c *Core) CloseRequests(dst []CloseRequest) []CloseRequest {
	dst = append(dst, c.closing...)
	c.closing = c.closing[:0]
	return dst
}
