package probe

import (
	"time"

	"bprelay/p2pwire"
)

// clock measures round trip and clock offset with time messages, as NTP does.
type clock struct {
	sent    int64     // xmt of our outstanding ping, 0: none
	sentAt  time.Time // the same on the monotonic clock
	answers int
	trip    time.Duration
	offset  time.Duration
}

// ping is our next time message.
func (c *clock) ping(now time.Time) p2pwire.Time {
	c.sent, c.sentAt = now.UnixNano(), now
	return p2pwire.Time{Xmt: c.sent}
}

// take looks at a time message of the peer; ok tells that it was a ping, to be answered.
func (c *clock) take(m p2pwire.Time, at time.Time) (answer p2pwire.Time, ok bool) {
	if m.Org == 0 {
		return p2pwire.Time{Org: m.Xmt, Rec: at.UnixNano(), Xmt: time.Now().UnixNano()}, m.Xmt != 0
	}
	if m.Org != c.sent {
		return answer, false
	}
	whole := at.Sub(c.sentAt)
	trip := max(whole-time.Duration(m.Xmt-m.Rec), 0)
	received := c.sent + int64(whole) // our wall clock, not moved by a step in between
	offset := time.Duration((m.Rec-c.sent)/2 + (m.Xmt-received)/2)
	if c.answers == 0 || trip < c.trip {
		c.trip, c.offset = trip, offset
	}
	c.answers++
	c.sent = 0
	return answer, false
}
