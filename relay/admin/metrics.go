package admin

import "github.com/prometheus/client_golang/prometheus"

// metric is one family: its name, type, help and labels are written here and nowhere else.
type metric struct {
	name   string
	kind   prometheus.ValueType // of the samples; a histogram has none
	help   string
	labels []string
	desc   *prometheus.Desc
}

const histogram prometheus.ValueType = -1

// family describes a metric; counters end in _total.
func family(kind prometheus.ValueType, name, help string, labels ...string) *metric {
	name = "bprelay_" + name
	return &metric{name: name, kind: kind, help: help, labels: labels,
		desc: prometheus.NewDesc(name, help, labels, nil)}
}

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

// families are all metrics of the relay.
type families struct {
	build, up, uptime, starting, fenced                      *metric
	sessions, frames, bytes, refused, closed, dialsFailed    *metric
	own, conflicts, latency, alarms, blamed, dropped         *metric
	headNumber, headTime, claimedNumber, claimedTime, lead   *metric
	queueBytes, partialBytes, bufferedBytes                  *metric
	blocks, blockBytes, heldBlocks, heldVotes, logDrops, rtt *metric
	ownSlots, missed, late, ahead, arrival, due              *metric
	clockOffset, clockSources, clockTrusted                  *metric

	takeoverInfo, nodeState, reserveVotes, releases, leadChanges *metric

	journalComplete, journalAtStart, journalBytes  *metric
	journalErrors, journalUnrecorded, journalWrite *metric

	claimWait, clusterRole, clusterEpoch, clusterTerm, clusterLeader *metric
	clusterLinked, clusterMember, clusterTakeovers, clusterAnswer    *metric
}

func newFamilies() *families {
	return &families{
		build: family(gauge, "build_info", "Always 1; the labels say what runs.", "version", "go_version"),
		up:    family(gauge, "up", "1 if the event loop answered this scrape; without that, no other family is there."),
		uptime: family(gauge, "uptime_seconds",
			"Time since the relay's start."),
		starting: family(gauge, "starting",
			"1 while the relay fetches recent blocks from the network after its start: own blocks are not judged yet."),
		fenced: family(gauge, "fenced_until_timestamp_seconds",
			"Unix time of the last slot closed to own blocks because of the start; see reason start_fence."),

		sessions: family(gauge, "sessions",
			"P2P sessions by side, and whether their handshake was accepted (ready) or not yet (handshaking).", "side", "state"),
		frames: family(counter, "frames_total",
			"P2P messages by side, direction as seen from the relay (in, out) and type (nodeos' name).", "side", "direction", "type"),
		bytes: family(counter, "frame_bytes_total",
			"Bytes of these messages, length prefix included.", "side", "direction", "type"),
		refused: family(counter, "connections_refused_total",
			"Connections refused before a session was made: too many, or the address is shut out."),
		closed: family(counter, "sessions_closed_total", "Sessions ended, by reason.", "reason"),
		dialsFailed: family(counter, "dials_failed_total",
			"Failed attempts to reach a configured node or peer, by side.", "side"),

		own: family(counter, "own_blocks_total",
			"Blocks of own producers by decision (forwarded, withheld, held) and reason. A held block is decided again later and then counts once more.",
			"decision", "reason"),
		ownSlots: family(counter, "own_slots_total",
			"Our slots by outcome, counted when their round is over: public, late (left after its timestamp), orphaned (the network went on without it), elsewhere (the network has a block of ours that did not leave here), lost.",
			"outcome"),
		conflicts: family(counter, "conflicts_total",
			"Own blocks that stayed inside because another block already had their slot."),
		missed: family(counter, "own_slots_missed_total",
			"Slots of own rounds for which nothing went out until the round and late_grace were over. A round of which no node made any block is not noticed."),
		late: family(counter, "own_blocks_late_total",
			"Own blocks that went out over 50 ms behind their due time, and after their timestamp."),
		ahead: family(histogram, "own_block_lead_seconds",
			"Time from the arrival of the block that got its slot to that of the next node's block for it."),
		arrival: family(gauge, "node_own_block_arrival_seconds",
			"When a node's last own block came, relative to the block's timestamp (negative is early).", "node"),
		due: family(gauge, "node_own_block_due_seconds",
			"When a node's block of this place in a round (0 to 11) is due, relative to its timestamp: as learned, or as nodeos plans it.", "node", "index"),
		latency: family(histogram, "own_block_added_latency_seconds",
			"Time from the read of an own block to its hand-over to the socket of a network session, once for each session."),
		alarms: family(counter, "alarms_total", "Things a human should look at, by reason.", "reason"),
		blamed: family(counter, "blamed_total",
			"Times a network peer's message made one of our nodes close its link."),
		dropped: family(counter, "dropped_total", "Messages not passed on, by reason.", "reason"),

		headNumber: family(gauge, "public_head_number", "Number of the public head: the best verified public block."),
		headTime: family(gauge, "public_head_timestamp_seconds",
			"Unix time of the public head's slot; now minus this is its age (a little below 0 to 1 s on a healthy chain)."),
		claimedNumber: family(gauge, "last_claimed_number", "Number of the last own block that got its slot."),
		claimedTime:   family(gauge, "last_claimed_timestamp_seconds", "Unix time of the last own block's slot."),
		lead:          family(gauge, "lead", "1 for the node whose own blocks went out last.", "node"),

		clockOffset: family(gauge, "clock_offset_seconds",
			"How far the relay's clock is ahead of the median of our nodes and the peers we dial; missing while they do not agree."),
		clockSources: family(gauge, "clock_sources", "Nodes and peers that bprelay_clock_offset_seconds rests on."),
		clockTrusted: family(gauge, "clock_trusted",
			"1 while the others confirm the relay's clock within clock_limit. Else nothing is decided by due time."),

		queueBytes:    family(gauge, "queue_bytes", "Bytes queued for sending, by side.", "side"),
		partialBytes:  family(gauge, "partial_frame_bytes", "Memory held for frames that have not arrived whole."),
		bufferedBytes: family(gauge, "buffered_bytes", "Frame memory in use: queues, ring, partial frames, what is held."),
		blocks:        family(gauge, "blocks_kept", "Recent blocks kept."),
		blockBytes:    family(gauge, "block_bytes_kept", "Bytes of the recent blocks kept."),
		heldBlocks:    family(gauge, "held_blocks", "Own blocks waiting for a decision."),
		heldVotes:     family(gauge, "held_votes", "Votes waiting for their block."),
		logDrops:      family(counter, "log_events_dropped_total", "Events that did not get into the log because it could not keep up."),
		rtt: family(gauge, "node_round_trip_seconds",
			"Last round trip of a time message to an own node, 0 until one came back.", "node"),

		takeoverInfo: family(gauge, "takeover_info",
			"Always 1; the labels say how one node takes over from another: as configured, and the way in force.", "configured", "mode"),
		nodeState: family(gauge, "node_state",
			"1 for the state a node is in: absent, free (it produces as it likes, or never does), lead, arming (held, and not quiet yet), armed (held, and can be released), not_ready (held, and could not take over), cannot_be_held.",
			"node", "state"),
		reserveVotes: family(gauge, "node_reserve_votes",
			"Votes kept that would free a held node (takeover leash); 0 of a node that is not held.", "node"),
		releases:    family(counter, "takeover_releases_total", "Held nodes released because the lead had failed."),
		leadChanges: family(counter, "lead_changes_total", "Times another node began to lead, whatever the reason."),

		claimWait: family(histogram, "own_block_claim_seconds",
			"Time from asking for the slot of an own block to the answer of cluster and journal; the block waits for it."),
		clusterRole: family(gauge, "cluster_role",
			"1 for this relay's role among others: active (lets blocks out) or standby. Only in a cluster.", "role"),
		clusterEpoch:  family(gauge, "cluster_epoch", "Number of the present reign: it grows with every change of the active relay."),
		clusterTerm:   family(gauge, "cluster_term", "Term of the quorum's elections. Only with cluster.mode quorum."),
		clusterLeader: family(gauge, "cluster_leader", "1 if this member leads the quorum."),
		clusterLinked: family(gauge, "cluster_linked",
			"1 while another relay is heard of: on a standby of a quorum the active one."),
		clusterMember: family(gauge, "cluster_member_up", "1 for another member that gossip believes to be alive.", "member"),
		clusterTakeovers: family(counter, "cluster_takeovers_total",
			"Times this relay became active."),
		clusterAnswer: family(histogram, "cluster_answer_seconds",
			"Time from a claim to the cluster's answer: in a pair the other relay's acknowledgement, or the end of claim_wait; in a quorum the majority's decision."),

		journalComplete: family(gauge, "journal_complete",
			"1 while everything let out is in the journal: a restart now would know every claim. Only with state_dir."),
		journalAtStart: family(gauge, "journal_complete_at_start",
			"1 if this start found a complete journal, so that the start fence was lifted."),
		journalBytes:  family(gauge, "journal_bytes", "Size of the journal's file."),
		journalErrors: family(counter, "journal_errors_total", "Writes to the journal that failed."),
		journalUnrecorded: family(counter, "journal_unrecorded_total",
			"Claims and vote marks that were not on disk when they were answered: refused (journal: strict) or kept in memory (relaxed)."),
		journalWrite: family(histogram, "journal_write_seconds",
			"Time of one write to the journal, fsync included; a block of ours waits for one."),
	}
}

// list is every family, in the order of the documentation.
func (f *families) list() []*metric {
	return []*metric{
		f.build, f.up, f.uptime, f.starting, f.fenced,
		f.sessions, f.frames, f.bytes, f.refused, f.closed, f.dialsFailed,
		f.own, f.ownSlots, f.missed, f.late, f.conflicts, f.ahead, f.arrival, f.due, f.latency, f.alarms, f.blamed, f.dropped,
		f.headNumber, f.headTime, f.claimedNumber, f.claimedTime, f.lead,
		f.clockOffset, f.clockSources, f.clockTrusted,
		f.queueBytes, f.partialBytes, f.bufferedBytes,
		f.blocks, f.blockBytes, f.heldBlocks, f.heldVotes, f.logDrops, f.rtt,
		f.takeoverInfo, f.nodeState, f.reserveVotes, f.releases, f.leadChanges,
		f.journalComplete, f.journalAtStart, f.journalBytes,
		f.journalErrors, f.journalUnrecorded, f.journalWrite,
		f.claimWait, f.clusterRole, f.clusterEpoch, f.clusterTerm, f.clusterLeader,
		f.clusterLinked, f.clusterMember, f.clusterTakeovers, f.clusterAnswer,
	}
}
