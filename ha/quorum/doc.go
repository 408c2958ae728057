// Package quorum decides claims among three or more members by raft (github.com/hashicorp/raft): I1
// holds whatever pauses, clocks, links or disks do, as long as a member that lost its directory does not
// pretend to be the one it was, and it sees to that itself.
//
//	d := quorum.NewDriver()                        // a relay's; a witness has none
//	n, err := quorum.Start(quorum.Options{Name: "a", Members: list, Dir: dir, Timing: t, Listener: l, Identity: id}, d)
//	d.Attach(wake); d.Claim(...); d.Pump(...)      // on the relay's loop
//	n.Handover(ctx, "b", false)                    // also Add, Remove, Replace, Status, SetMembers
//	n.Close(ctx)                                   // hands leadership on first
//
// # What is decided, and how
//
// The log has three kinds of entries. A claim gives a slot to a block: the first one committed for a slot
// decides, whoever proposed it, and every relay adopts it, in the order of the log. So a proposal may be
// made as often as one likes, and one that was not answered may be decided all the same. A reign names the
// relay that is active from there on; its place in the log is the epoch. What is active follows from it:
// everything committed before has been told to the relay before it acts, so no barrier is needed. The
// lead's state belongs to a reign, and one of a reign that is over is ignored.
//
// What members agree upon (state) depends on the committed entries alone. It is bounded: 4096 claims, and
// below the oldest every slot is closed (dedup.Slots). Entries and snapshots have a version; a member
// that finds a committed entry it cannot read steps aside, since a claim may be in it. So a new version is
// written only when all members read it.
//
// # Who is active
//
// The leader appoints itself. It is active while it leads in the term of its reign and its disk answers.
// raft takes leadership from a leader that did not hear a majority for Timing.Lease; the core is told at
// once, and a claim that is pending is answered Failed: its block is held, and let out if it was decided
// after all. A relay that is not active claims nothing; candidates wait in its core.
//
// A witness that is elected asks which relays are there, and hands leadership to the first that answers
// and sees nodes and network. If that fails it appoints that relay all the same, commits what the relay
// proposes, and tries another one after two election timeouts. A member that does not lead sends what it
// has to propose to the leader, who checks and commits it: refusing would cost a round of retries each
// time leadership moves, and can make nothing safer, since the log decides. It is passed on once at most.
//
// # When leadership moves while the leader lives
//
// Every relay tells all members its health every heartbeat, and at once when it matters. The leader, if it
// is a relay, hands on by the rules in rules.go (stuck loop, blind core, missed slots, slow disk), always to
// a relay that does better by the same measure, never in its first 6 seconds, and each time later than the
// time before (up to 96 s). Handover is asked for by an operator, and waits for the end of our run.
//
// # Elections
//
// With raft's own means a takeover with three members takes up to 1.4 s at these timings: who notices first
// that the leader is gone is refused by those who have not, and waits for an election timeout or two. Here
// a candidate goes on asking for pre-votes until enough have noticed; and having them it lets those
// go first that come before it in the configuration, by 1.5 round trips each, so that votes are not split.
// Witnesses wait until every relay can have noticed. From the active's death to the next block, in virtual
// time (half of 50 to 200 deaths within, 99 % within): lan 0.23 and 0.30 s, with two relays and a witness as
// with three relays; lan with links as slow as it allows 0.35 and 0.43 s; local 0.11 and 0.15 s; wan, with 80
// ms of round trip, 1.9 and 2.5 s. Over loopback with TLS on a busy machine, lan: half within 0.23 s, the
// longest of 30 0.33 s. Sites that are not that far apart do better with their own RTT_MAX (TimingFor).
//
// # Does a claim carry the block?
//
// Yes, up to 64 KiB always, and a larger one unless another relay said within an eighth of a heartbeat that
// it has the block. A claim whose bytes died with its relay makes the rest of the run unlinkable; nodes
// usually send a candidate to every relay, but the claim is made within a millisecond of the first
// arrival, when nobody can know. Measured over loopback with TLS, three members on one disk of a busy
// machine, half of the claims within: 1.4 ms without a block, 1.8 ms with 10 kB, 3.4 ms with 100 kB, 24 ms with
// 1 MB. A link of 1 Gbit/s adds 0.8 ms for each 100 kB and follower. Snapshots carry no bytes; a relay that
// adopts a claim without them and gets none from a node within a quarter of a heartbeat asks the others.
//
// # The disk
//
// The log is github.com/hashicorp/raft-wal. An append of 100 bytes with its fsync: half within 203 µs and
// 99 % within 9.0 ms, with raft-boltdb/v2 801 µs and 36 ms, with a bare file 223 µs and 5.0 ms (ext4, the
// same busy machine; 10 kB: 0.32, 1.4 and 0.75 ms; 100 kB: 0.85, 3.1 and 2.3 ms; 1 MB: 4.8, 15 and 11 ms). A
// claim of 1.05 ms (no TLS) is two such appends one after the other (0.43 ms: the leader's, then a
// follower's), a round trip over loopback (0.03 ms), and the rest is goroutines
// that wait for one of two cores. raft-wal 0.4.1 and boltdb 2.3.0 are the last that build with raft 1.8.0:
// later ones need a package that its go-metrics no longer has.
//
// raft goes on after an error of the disk as if nothing had been, and panics after some. Here the first error
// ends this life of raft: the member's way out is shut, it steps aside with an alarm (Status.Aside), and
// begins anew from what the disk really holds, after 0.2 s at first and then up to every 5 s, if 32 MiB are
// free. A write that takes
// longer than two heartbeats shuts the way out as well, or the leader's heartbeats would keep the others
// from taking over. A disk that lost what it had confirmed while the process lives is found out, and
// not used again. The directory is locked; the log is cut after 512 entries or 32 MiB, at a snapshot of under
// 500 kB, of which two are kept.
//
// # Members
//
// The first member of the list founds the cluster, once all of them are there and none ever heard of
// one. Each directory has a number, and raft knows a member by name and number: one that comes back with an
// empty directory is another voter, who founds nothing and has no vote before the leader has ended the old
// one's. That happens by itself for a member that votes; who was not a member before is added by Add. What
// nobody can find out is a directory put back from a copy: do not restore one.
//
// # Limits
//
// Without a majority nothing is claimed and no block leaves: this mode stops where the pair would go on.
// Members are trusted: one that is malicious can claim slots for blocks that do not exist.
package quorum
