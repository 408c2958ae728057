// Package dedup remembers what a relay has already dealt with, in fixed memory.
//
// Two questions come up for every frame, and each has its type:
//
//   - "Did these very bytes pass before?" is answered by [Window]: a set of 32-byte content
//     digests, bounded by count and by age. Forgetting is harmless (a duplicate goes out once
//     more), remembering wrongly is not (a good message would be suppressed), so membership is
//     always confirmed on the whole digest.
//   - "Whose block is this slot?" is answered by [Slots], the claim book: (producer, slot) belongs
//     to one block id. Forgetting here would let a second block out for a slot, so a claim is only
//     ever forgotten at or below a floor that never moves back, and no new id is accepted there.
//
// Neither type has a clock, a lock or a goroutine: time comes in as an argument and one goroutine
// uses a value at a time. Neither allocates after construction.
package dedup
