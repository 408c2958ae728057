package demo

import (
	"context"

	"bprelay/relay"
	"bprelay/relay/core"
)

// relayEnd is a relay as the director knows it.
type relayEnd interface {
	name() string
	// address is where network peers connect, admin where it answers; empty: nowhere.
	address() string
	admin() string
	up() bool
	status(ctx context.Context) (relayStatus, error)
	// close ends it, within ctx if it can.
	close(ctx context.Context)
}

// relayStatus is what a relay says of itself.
type relayStatus struct {
	takeover core.TakeoverStatus
	added    core.Histogram
	cluster  *core.ClusterStatus // nil: it is alone
	peers    int                 // network sessions
	stats    *core.Stats         // of a relay in this process
}

// active tells whether it lets blocks out by its own word.
func (s *relayStatus) active() bool {
	return s.cluster == nil || s.cluster.Role != core.ClusterStandby
}

// local is a relay in this process.
type local struct{ relay *relay.Relay }

func (l local) name() string    { return relayName }
func (l local) address() string { return l.relay.Addr(core.Network).String() }
func (l local) up() bool        { return true }

func (l local) admin() string {
	if a := l.relay.AdminAddr(); a != nil {
		return a.String()
	}
	return ""
}

func (l local) status(ctx context.Context) (relayStatus, error) {
	st, err := l.relay.Status(ctx)
	return relayStatus{
		takeover: st.Takeover, added: st.Stats.AddedLatency, cluster: st.Cluster, peers: peersOf(st.Sessions), stats: &st.Stats,
	}, err
}

func (l local) close(ctx context.Context) { _ = l.relay.Close(ctx) } // it may say that not everything was flushed

func peersOf(sessions []core.SessionStatus) (n int) {
	for i := range sessions {
		if s := &sessions[i]; s.Side == core.Network.String() && s.Ready {
			n++
		}
	}
	return n
}
