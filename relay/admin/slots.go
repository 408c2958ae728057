package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// Bounds of /slots: what is given without being asked for a number, and at most.
const (
	defaultLast = p2pwire.RoundSlots
	// MaxLast is the most records one answer of /slots holds: 20 rounds.
	MaxLast = 20 * p2pwire.RoundSlots
)

// SlotsError is the body of /slots when there are no records to give. The report says what there is.
type SlotsError struct {
	Error string `json:"error"`
	Key   string `json:"key,omitempty"` // the query key it is about
	*core.SlotReport
}

func slots(w http.ResponseWriter, r *http.Request, source Source) {
	q, key, err := slotQuery(r.URL.Query())
	if err != nil {
		answer(w, http.StatusBadRequest, SlotsError{Error: err.Error(), Key: key})
		return
	}
	rep, err := source.Slots(r.Context(), q)
	switch {
	case err != nil:
		answer(w, http.StatusServiceUnavailable, SlotsError{Error: loopSilent})
	case len(rep.Slots) == 0 && key != keyLast:
		answer(w, http.StatusNotFound, SlotsError{Error: fmt.Sprintf("no record for %s %s", key, r.URL.Query().Get(key)), Key: key, SlotReport: &rep})
	default:
		answer(w, http.StatusOK, rep)
	}
}

// The query keys.
const (
	keySlot  = "slot"
	keyBlock = "block"
	keyLast  = "last"
)

// slotQuery reads the question; key is the one it is about.
func slotQuery(values url.Values) (q core.SlotQuery, key string, err error) {
	q.Last = defaultLast
	key = keyLast
	if len(values) > 1 {
		return q, "", errors.New("give only one of slot, block, last")
	}
	for k, v := range values {
		limit := uint64(1<<32 - 1)
		switch k {
		case keyLast:
			limit = MaxLast
		case keySlot, keyBlock:
		default:
			return q, k, fmt.Errorf("unknown key %s; possible are slot, block, last", k)
		}
		n, err := strconv.ParseUint(v[0], 10, 32)
		if err != nil || n == 0 || n > limit || len(v) > 1 {
			return q, k, fmt.Errorf("%s must be one number from 1 to %d", k, limit)
		}
		key = k
		switch k {
		case keySlot:
			q = core.SlotQuery{Slot: p2pwire.Slot(n)}
		case keyBlock:
			q = core.SlotQuery{Num: uint32(n)}
		case keyLast:
			q = core.SlotQuery{Last: int(n)}
		}
	}
	return q, key, nil
}
