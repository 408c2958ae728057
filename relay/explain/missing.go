package explain

import (
	"fmt"

	"bprelay/relay/core"
)

// Missing says why there is no record of what was asked for, as far as a report without records
// shows it.
func Missing(q core.SlotQuery, rep *core.SlotReport) string {
	switch {
	case q.Slot != 0 && rep.Public != nil:
		return fmt.Sprintf("slot %d: was %s's (block %d): only our own slots are recorded", q.Slot, rep.Public.Producer, rep.Public.Num)
	case q.Slot > rep.Now:
		return fmt.Sprintf("slot %d: is still to come; now it is slot %d", q.Slot, rep.Now)
	case q.Slot != 0 && q.Slot.Time() < rep.StartedAt.UnixNano():
		return fmt.Sprintf("slot %d: was before this relay's start at %s; its log may tell", q.Slot, rep.StartedAt.Format("2006-01-02 15:04:05 MST"))
	case q.Slot != 0 && q.Slot < rep.Oldest:
		return fmt.Sprintf("slot %d: is older than the %d records kept, which begin with slot %d; the log may tell", q.Slot, rep.Kept, rep.Oldest)
	case q.Slot != 0:
		return fmt.Sprintf("slot %d: no node of ours sent a block for it, and by the rounds seen so far it was not ours%s", q.Slot, learning(rep))
	case q.Num != 0 && rep.Public != nil:
		return fmt.Sprintf("block %d: is %s's (slot %d): only our own blocks are recorded", q.Num, rep.Public.Producer, rep.Public.Slot)
	case q.Num != 0 && rep.Kept > 0:
		return fmt.Sprintf("block %d: no block of ours with this number among the %d slots recorded, %d to %d", q.Num, rep.Kept, rep.Oldest, rep.Newest)
	case q.Num != 0:
		return fmt.Sprintf("block %d: no slot of ours since the relay's start at %s%s", q.Num, rep.StartedAt.Format("2006-01-02 15:04:05 MST"), learning(rep))
	}
	return fmt.Sprintf("no slot of ours since the relay's start at %s%s", rep.StartedAt.Format("2006-01-02 15:04:05 MST"), learning(rep))
}

// learning warns that the schedule is not known yet.
func learning(rep *core.SlotReport) string {
	if rep.PeriodRounds > 0 {
		return ""
	}
	return " (the relay has not seen a whole schedule yet: a slot for which nothing came is not known as ours)"
}
