package members

import (
	"bytes"
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"
)

// Carried is what gossip carries for the caller besides metadata. Its functions may be called from any
// goroutine and must not block.
type Carried struct {
	// Local returns all that there is, for another member to merge.
	Local func() []byte
	// Merge takes another member's Local, Receive what one broadcast. The slices are the callee's.
	Merge   func([]byte)
	Receive func([]byte)
}

// delegate is what memberlist calls. It holds locks meanwhile: nothing here may call it, or wait.
type delegate struct{ c *Cluster }

// NodeMeta implements memberlist.Delegate.
func (d delegate) NodeMeta(limit int) []byte {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.c.meta.encode(limit)
}

// NotifyMsg implements memberlist.Delegate.
func (d delegate) NotifyMsg(b []byte) {
	if d.c.o.Carried.Receive != nil && len(b) <= maxState {
		d.c.o.Carried.Receive(bytes.Clone(b))
	}
}

// GetBroadcasts implements memberlist.Delegate.
func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.c.queue.GetBroadcasts(overhead, limit)
}

// LocalState implements memberlist.Delegate.
func (d delegate) LocalState(bool) []byte {
	if d.c.o.Carried.Local == nil {
		return nil
	}
	b := d.c.o.Carried.Local()
	if len(b) > maxState {
		return nil
	}
	return b
}

// MergeRemoteState implements memberlist.Delegate.
func (d delegate) MergeRemoteState(b []byte, _ bool) {
	if d.c.o.Carried.Merge != nil && len(b) > 0 && len(b) <= maxState {
		d.c.o.Carried.Merge(bytes.Clone(b))
	}
}

// NotifyAlive implements memberlist.AliveDelegate: only configured members are members.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	if _, known := d.c.configured[n.Name]; !known {
		return fmt.Errorf("%s is not configured", n.Name)
	}
	return nil
}

// NotifyConflict implements memberlist.ConflictDelegate: two processes have one name.
func (d delegate) NotifyConflict(have, other *memberlist.Node) {
	d.c.complain("two members have one name: check cluster.name", "name", have.Name, "address", have.Address(), "other", other.Address())
}

// NotifyJoin implements memberlist.EventDelegate.
func (d delegate) NotifyJoin(n *memberlist.Node) { d.c.note(n, Alive) }

// NotifyUpdate implements memberlist.EventDelegate.
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.c.note(n, "") }

// NotifyLeave implements memberlist.EventDelegate.
func (d delegate) NotifyLeave(n *memberlist.Node) {
	state := Dead
	if decodeMeta(n.Meta).Leaving {
		state = Left
	}
	d.c.note(n, state)
}

// AckPayload implements memberlist.PingDelegate.
func (d delegate) AckPayload() []byte { return nil }

// NotifyPingComplete implements memberlist.PingDelegate.
func (d delegate) NotifyPingComplete(n *memberlist.Node, rtt time.Duration, _ []byte) {
	d.c.heard(n.Name, rtt)
}

// news is a broadcast; a later one of the same name takes its place.
type news struct {
	name string
	text []byte
}

// Name implements memberlist.NamedBroadcast.
func (n *news) Name() string { return n.name }

// Invalidates implements memberlist.Broadcast.
func (n *news) Invalidates(other memberlist.Broadcast) bool {
	o, ok := other.(*news)
	return ok && o.name == n.name
}

// Message implements memberlist.Broadcast.
func (n *news) Message() []byte { return n.text }

// Finished implements memberlist.Broadcast.
func (n *news) Finished() {}
