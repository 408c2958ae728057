package core

import "time"

const (
	// stallFrom is how much later than it meant to the driver must go on for that to be a stall.
	stallFrom = 20 * time.Millisecond
	// readTakes is how long behind a stall nobody is judged by what did not come. The driver reads everything that
	// arrived meanwhile before it runs timers.
	readTakes = 5 * time.Millisecond
)

// noteStall notes that the driver stood still: a lead whose block lies in a socket is not late, and a node
// whose answer does owes none.
func (c *Core) noteStall(now time.Duration) {
	if len(c.timers) == 0 {
		return
	}
	stood := now - max(c.now.Mono, c.timers[0].at)
	if stood < stallFrom {
		return
	}
	c.reign.blind = now + readTakes
	for _, s := range c.internal {
		if s.pingXmt != 0 {
			s.owes += stood
		}
	}
}
