package core

// reasonToDo says what an operator does at three in the morning: for every alarm, and for every reason
// a slot can be lost for.
var reasonToDo = [numReasons]string{
	ReasonBelowFloor:       "Look at the clock of this machine and of the node: the slot is thousands of slots in the past.",
	ReasonTooOld:           "The node is slow or its clock is behind: look at its load and its NTP, and at the link between it and the relay.",
	ReasonTooEarly:         "The clock of the node or of this machine is off: check NTP on both.",
	ReasonUnknownParent:    "The node builds on blocks that neither the relay nor the network has: look at its log for forks, and whether it has another peer besides the relay.",
	ReasonParentWithheld:   "Nothing at once: the node joins the public chain when its round is over. It costs slots only when the node that led is gone: bring that one back.",
	ReasonNotLineage:       "Nothing at once: the node joins the public chain when its round is over. It costs slots only when the node that led is gone: bring that one back.",
	ReasonOlderParent:      "The node lags behind the network: look at its load and its link to the relay.",
	ReasonBelowLIB:         "The node is stuck on a dead branch: restart it, from a snapshot if it does not come back to the public chain.",
	ReasonSuperseded:       "The node or its link was slow: look when its block came (`bprelay explain`), at its load and its clock.",
	ReasonStartFence:       "Nothing: it is over some seconds after the start. Restart the relay outside our round, with network peers that answer.",
	ReasonStarting:         "Nothing, if it is over after three seconds. Else no network peer answers: look at the network sessions.",
	ReasonBadSignature:     "The node sends damaged blocks: look at its log and its disk, and take it out until it is clear why.",
	ReasonClaimFailed:      "Look at the disk and the log of the relay: a slot that cannot be recorded safely is not used.",
	ReasonNoNode:           "Bring a node back; see its session's reason. All nodes gone at once points to this machine, its network, or an upgrade of all nodes together.",
	ReasonNodeSilent:       "Look at the nodes' logs: production paused, no producer-name or signature-provider, the head behind the network, or no votes (Savanna stops a producer without them).",
	ReasonLeadLost:         "Bring the lost node back. The next round is safe: the other nodes are on the public chain again by then.",
	ReasonOwnBranch:        "Nothing, if it ended with the round. Else a node does not come back to the public chain: restart it.",
	ReasonNoNetwork:        "Look at the uplink and at network.peers; more peers, in other places, make this unlikely.",
	ReasonOrphaned:         "Compare when it left with when it was due: late blocks lose. Look at the latency to the network peers and at the clock.",
	ReasonPublicElsewhere:  "Nothing right after a restart of the relay. At any other time see foreign_block: someone else has our key, or a node has another way out.",
	ReasonForeignBlock:     "Find the other instance that has the key, or the node with a peer besides the relay, and stop it. If there is none, the key is stolen: rotate it.",
	ReasonUnknownKey:       "After a rotation add the new key to producers[].keys. Without one, look which node signs, and with what.",
	ReasonLineageDead:      "Look whether our blocks left in time (`bprelay explain --last`), and at the latency to the network peers. The relay follows the network by itself.",
	ReasonClockOffset:      "Look at NTP on this machine and on the nodes: `chronyc tracking`.",
	ReasonClockJump:        "Look why the clock was stepped or the machine stopped: let NTP slew it, and do not suspend or migrate it.",
	ReasonNoVotes:          "Look at network.peers: only producers, and nodes with vote-threads set, carry votes (`bprelay probe`). Our nodes stop some seconds after the last vote.",
	ReasonFinalizerSilent:  "Bring the node back that votes for our finalizer, or switch the active finalizer key on the chain to another host's (regfinkey, actfinkey): all our producers stop when their vote timeout is over.",
	ReasonCannotHold:       "Set production-pause-vote-timeout-ms of that node to vote_timeout (not 0), and see that the relay is its only peer. Until then it makes siblings, which stay inside.",
	ReasonSlotInDoubt:      "Nothing, if the relay was just started: the other relays tell it. If it stays, look at the link to them.",
	ReasonNoStandby:        "See `bprelay status` for what each node lacks. Bring one back now: the lead has no successor.",
	ReasonProducerAPI:      "Look whether the node runs with producer_api_plugin at nodes[].api, and whether the relay reaches that address.",
	ReasonDoubleClaim:      "Look at the logs of both relays around that slot, and at the link between them. Chain explorers show whether the network saw two blocks.",
	ReasonPairPeerUnseen:   "Look at the link between the relays, and whether the other one runs: until it is back nobody takes over from this one.",
	ReasonPairPeerSlow:     "Look at the load of the other relay, and at the link to it; claim_wait must be above the usual round trip.",
	ReasonPairPeerLost:     "Bring the other relay or the link to it back: if this one fails now, the other one takes over only after a slot passed unseen.",
	ReasonPairNoProof:      "Look at the uplink of this relay.",
	ReasonPairSettings:     "Give both relays the same cluster preset and waiting times.",
	ReasonMemberAside:      "Look at the disk of state_dir: space, health, latency. The member comes back by itself when it can; without a majority nothing goes out.",
	ReasonWithheldInPublic: "Find the node's other way out: no p2p-peer-address besides the relay, no open p2p port.",

	ReasonFinalizerUnlisted: "Add the key to producers[].finalizer_keys, and take out the one that is not used any more. If it is not yours, see by which way the node gets the votes of others.",
	ReasonNodeFreed:         "Look at nodes[].api of the node that should lead, and whether it runs. It ends by itself as soon as one node is known to produce.",
}

// ToDo says what an operator does about it, empty where there is nothing to do.
func (r Reason) ToDo() string {
	if r < numReasons {
		return reasonToDo[r]
	}
	return ""
}
