package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"bprelay/relay/core"
)

func TestSlots(t *testing.T) {
	some := core.SlotReport{Kept: 30, Oldest: 1200, Newest: 1300, Slots: []core.SlotRecord{{Producer: 1, Slot: 1211, Outcome: core.OutcomeLost, Reason: core.ReasonNoNode}}}
	none := core.SlotReport{Kept: 30, Oldest: 1200, Newest: 1300, Slots: []core.SlotRecord{}, Public: &core.BlockRef{Num: 77, Producer: "bpbeta"}}
	for _, c := range []struct {
		path  string
		src   *fakeSource
		code  int
		query core.SlotQuery
		err   string
		key   string
	}{
		{"/slots", &fakeSource{slots: some}, 200, core.SlotQuery{Last: 12}, "", ""},
		{"/slots?last=240", &fakeSource{slots: some}, 200, core.SlotQuery{Last: 240}, "", ""},
		{"/slots?slot=1211", &fakeSource{slots: some}, 200, core.SlotQuery{Slot: 1211}, "", ""},
		{"/slots?block=305", &fakeSource{slots: some}, 200, core.SlotQuery{Num: 305}, "", ""},
		{"/slots?last=5", &fakeSource{slots: none}, 200, core.SlotQuery{Last: 5}, "", ""},
		{"/slots?slot=1201", &fakeSource{slots: none}, 404, core.SlotQuery{Slot: 1201}, "no record for slot 1201", "slot"},
		{"/slots?block=77", &fakeSource{slots: none}, 404, core.SlotQuery{Num: 77}, "no record for block 77", "block"},
		{"/slots?last=241", &fakeSource{}, 400, core.SlotQuery{}, "last must be one number from 1 to 240", "last"},
		{"/slots?last=0", &fakeSource{}, 400, core.SlotQuery{}, "last must be one number from 1 to 240", "last"},
		{"/slots?slot=x", &fakeSource{}, 400, core.SlotQuery{}, "slot must be one number from 1 to 4294967295", "slot"},
		{"/slots?slot=4294967296", &fakeSource{}, 400, core.SlotQuery{}, "slot must be one number from 1 to 4294967295", "slot"},
		{"/slots?block=-1", &fakeSource{}, 400, core.SlotQuery{}, "block must be one number from 1 to 4294967295", "block"},
		{"/slots?slot=1&slot=2", &fakeSource{}, 400, core.SlotQuery{}, "slot must be one number from 1 to 4294967295", "slot"},
		{"/slots?slot=1&last=2", &fakeSource{}, 400, core.SlotQuery{}, "give only one of slot, block, last", ""},
		{"/slots?num=1", &fakeSource{}, 400, core.SlotQuery{}, "unknown key num; possible are slot, block, last", "num"},
		{"/slots", &fakeSource{err: errors.New("stuck")}, 503, core.SlotQuery{Last: 12}, loopSilent, ""},
	} {
		t.Run(c.path, func(t *testing.T) {
			w := get(t, c.src, http.MethodGet, c.path)
			var body SlotsError
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatalf("%v in %q", err, w.Body)
			}
			if w.Code != c.code || body.Error != c.err || body.Key != c.key || c.src.query != c.query {
				t.Errorf("%d %q about %q, asked %+v; want %d %q about %q, %+v", w.Code, body.Error, body.Key, c.src.query, c.code, c.err, c.key, c.query)
			}
			if c.code == 404 && (body.SlotReport == nil || body.Oldest != 1200 || body.Public == nil || body.Public.Num != 77) {
				t.Errorf("it does not say what there is: %s", w.Body)
			}
			if c.code == 200 && len(body.Slots) != len(c.src.slots.Slots) {
				t.Errorf("%s", w.Body)
			}
		})
	}
}
