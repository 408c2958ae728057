// Package journal keeps claims and vote marks in a file, so that a relay that is restarted knows what
// it let out before.
//
//	j, history, err := journal.Open(journal.Options{Dir: dir, Chain: id, Producers: names, ...})
//	j.Claim(c, func(r journal.Result) { ... })   // answered when the claim is on disk
//	j.Close(ctx)
//
// # The file
//
// The directory holds the file "claims" and the lock. The file is a sequence of records of 64 bytes:
// a header with a random number, the chain, the own producers, what is remembered at the time of
// writing, a seal, and from there on what came up since. Every record has its place in the file and a
// CRC-32C, which covers the header's random number too: bytes of an older file never pass as new ones.
// The whole is written anew (other file, fsync, rename, fsync of the directory) at every start, when
// it has grown, and after an error; it is bounded by what the claim book keeps.
//
// One goroutine writes: everything that waits goes out in one write and one fsync, then all of it is
// answered. A claim that was answered Recorded is on disk.
//
// # Whose word a claim is
//
// A claim is this relay's word, or more: the other relays of a cluster agreed to it (Agreed), or the network
// has the block (Foreign). Of two blocks for one slot the one that is more takes the place of the other, in
// the ledger and in the file; otherwise the first one stays. Who starts with such a file later, may believe:
//
//   - in a cluster: no other block may have the slot, unless a claim that is this relay's word alone is
//     overruled by what the others, or the network, have meanwhile;
//   - standalone: the same as ever, the claimed block may go out and no other. Who leaves a cluster must see
//     to it that the others are stopped.
//
// # When a journal is complete
//
// A journal is complete if no claim of its chain and producers can be missing. That is believed only
// if everything holds:
//
//   - every byte is part of a whole record with its checksum, from the header to the last one, and
//     the seal is there. A torn last record is most likely a claim that was never answered, thus of a
//     block that never left; but it looks the same as an answered one that the disk damaged later,
//     so it is not believed. What can still be read is used.
//   - no gap was marked: in relaxed mode claims go on in memory when the disk fails, but not before
//     the file says so, or is removed. (If neither can be done, or the disk hangs, they go on all the
//     same, and the log says what that means. Strict mode refuses claims in all these cases.)
//   - its last record is at most 10 seconds old, and not from the future. The relay leaves a sign of
//     life every 2 seconds. So a copy from a backup, or a directory that was left alone while the
//     relay ran with another one, is found out; and who starts anew after a longer time than that
//     has nothing to lose by the fence.
//
// For a producer that the file does not name nothing is known, and after a start that did not find a
// complete journal nothing is known of the slots up to that start's fence: the file records that
// slot, for later starts.
package journal
