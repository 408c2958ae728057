package sim

import "time"

// health knows when which machine or link could not be expected to work. Links are called "a-b".
type health struct {
	ills map[string][]ill
}

// ill is a time from the fault to its end, with what recovery may take.
type ill struct{ from, to time.Duration }

// What recovery may take, after the end of a fault.
const (
	afterReset = 1 * time.Second         // a link: the redial is at once, a dialled network peer's after a second
	afterCut   = 4500 * time.Millisecond // a link: a dial into the cut takes 3 s to fail
	afterKill  = 3 * time.Second         // a node: dialled every second, handshake, catch-up
	afterOld   = 6 * time.Second         // a node that has more to catch up with
	afterPause = 1500 * time.Millisecond
	afterStart = 4 * time.Second // a relay: sessions, and at most 3 s for what the network knows
	forever    = time.Hour
)

func (h *health) ill(name string, from, to, recovery time.Duration) {
	if h.ills == nil {
		h.ills = map[string][]ill{}
	}
	h.ills[name] = append(h.ills[name], ill{from, to + recovery})
}

// well tells whether none of them was ill at any moment from one time to another.
func (h *health) well(from, to time.Duration, names ...string) bool {
	for _, name := range names {
		for _, i := range h.ills[name] {
			if i.from <= to && from <= i.to {
				return false
			}
		}
	}
	return true
}

// count is how many times one of them was ill between two moments.
func (h *health) count(from, to time.Duration, names ...string) (n int) {
	for _, name := range names {
		for _, i := range h.ills[name] {
			if i.from <= to && from <= i.to {
				n++
			}
		}
	}
	return n
}

// node is well when it, the relay and the link between them are.
func (h *health) node(from, to time.Duration, name string) bool {
	return h.well(from, to, name, "relay", name+"-relay")
}

// uplink tells whether the relay had a good way to some peer of the network all that time.
func (x *play) uplink(from, to time.Duration) bool {
	for _, p := range append(x.public(), "obs") {
		if x.health.well(from, to, p, "relay", p+"-relay") {
			return true
		}
	}
	return false
}
