package admin

import "bprelay/relay/core"

// What may be missing, in the words of /readyz.
const (
	loopSilent = "the event loop does not answer"
	starting   = "recent blocks are still being fetched from the network: own blocks are not judged yet"
	noNode     = "no own node is connected"
	noPeer     = "no network peer is connected"
)

// Missing says what keeps the relay from doing its job: it needs one own node to take blocks from,
// one network peer to give them to, and to know what the network already has. Empty, never nil, when
// it is ready.
func Missing(st *core.Status) []string {
	missing := []string{}
	var nodes, peers int
	for i := range st.Sessions {
		s := &st.Sessions[i]
		if !s.Ready {
			continue
		}
		switch s.Side {
		case core.Internal.String():
			nodes++
		case core.Network.String():
			peers++
		}
	}
	if nodes == 0 {
		missing = append(missing, noNode)
	}
	if peers == 0 {
		missing = append(missing, noPeer)
	}
	if st.Starting {
		missing = append(missing, starting)
	}
	return missing
}
