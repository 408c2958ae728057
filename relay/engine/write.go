package engine

import "time"

// The write policy, see the package comment.
const (
	// lowWater and highWater (bytes) are how much of a session may wait inside gnet: over lowWater it
	// gets nothing more, and what it gets does not bring it over highWater.
	lowWater, highWater = 128 << 10, 256 << 10
	// passBudget (bytes) is what one session gets in one round of a pass; there are up to maxRounds.
	passBudget = 512 << 10
	// notSentLowWater (bytes) is how much the kernel takes that it cannot send yet.
	notSentLowWater = 256 << 10
	// userTimeout is how long sent bytes may stay unacknowledged, or the other end's window closed.
	userTimeout = 10 * time.Second
	// minTick and maxTick are the pauses between tries while something is queued.
	minTick, maxTick = time.Millisecond, 16 * time.Millisecond
	// maxVec is the number of frames up to which a vectored write needs no memory of its own;
	// more of them, which are small then, are copied together first.
	maxVec = 8
)

// writeAll gives every session what it has room for. wrote tells that something was written, left
// that something is still queued, again that there was room left for it.
func (lp *loop) writeAll() (wrote, left, again bool) {
	step := func(k *link) {
		w, l, a := lp.writeLink(k)
		wrote, left, again = wrote || w, left || l, again || a
		if len(k.rest) > 0 && !k.inBacklog {
			k.inBacklog = true
			lp.backlog = append(lp.backlog, k)
		}
	}
	old := lp.backlog
	lp.backlog = lp.backlog[:0]
	for _, k := range old {
		k.inBacklog = false
		step(k) // puts it back, if at all, at a place that was read already
	}
	clear(old[len(lp.backlog):])
	lp.ids = lp.m.Writable(lp.ids[:0])
	for _, id := range lp.ids {
		if k := lp.links[id]; k != nil && !k.inBacklog {
			step(k)
		}
	}
	return wrote, left, again
}

// writeLink writes to one session until it has no more, no room, or had its share of the pass.
func (lp *loop) writeLink(k *link) (wrote, left, again bool) {
	for budget := passBudget; ; {
		if k.gone {
			return wrote, false, false
		}
		buffered := k.conn.OutboundBuffered()
		if buffered > lowWater {
			return wrote, true, false
		}
		if budget <= 0 {
			return wrote, true, true
		}
		room := highWater - buffered
		iov := k.rest
		if len(iov) == 0 {
			lp.iov = lp.m.Take(lp.clock.Now(), k.id, room, lp.iov[:0])
			if iov = lp.iov; len(iov) == 0 {
				return wrote, false, false
			}
		}
		n, vecs := 0, 0
		for vecs < len(iov) && n+len(iov[vecs]) <= room {
			n += len(iov[vecs])
			vecs++
		}
		if vecs == 0 {
			// One frame larger than the room: a piece of it.
			n = room
			lp.writeOne(k, iov[0][:room])
			iov[0] = iov[0][room:]
		} else {
			lp.writeSome(k, iov[:vecs])
			iov = iov[vecs:]
		}
		wrote = true
		budget -= n
		lp.keepRest(k, iov)
	}
}

// keepRest notes what is left of a take, or tells the core that nothing is.
func (lp *loop) keepRest(k *link, iov [][]byte) {
	if k.gone {
		clear(lp.iov)
		return
	}
	if len(iov) == 0 {
		k.rest = nil
		lp.m.Done(k.id)
		clear(lp.iov)
		return
	}
	k.rest = append(k.rest[:0], iov...)
}

func (lp *loop) writeSome(k *link, iov [][]byte) {
	switch {
	case len(iov) == 1:
		lp.writeOne(k, iov[0])
	case len(iov) <= maxVec:
		// On an error gnet closes the connection by itself: OnClose came before this returns.
		_, _ = k.conn.Writev(iov)
	default:
		lp.joined = lp.joined[:0]
		for _, b := range iov {
			lp.joined = append(lp.joined, b...)
		}
		lp.writeOne(k, lp.joined)
	}
}

func (lp *loop) writeOne(k *link, b []byte) { _, _ = k.conn.Write(b) }
