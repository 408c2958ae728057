package p2pwire

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestID(t *testing.T) {
	const text = "0000001fc8dc4b3e4a79f513d203f71523c1ca9d5edae99719b16d5ba8a2e3d4"
	id, err := ParseID(text)
	if err != nil || id.String() != text || id.Num() != 31 || id.Short() != "31:c8dc4b3e" || id.IsZero() || !(ID{}).IsZero() {
		t.Errorf("%s %d %s %v", id, id.Num(), id.Short(), err)
	}
	var back ID
	if err := back.UnmarshalText([]byte(strings.ToUpper(text))); err != nil || back != id {
		t.Errorf("%s, %v", back, err)
	}
	for _, bad := range []string{"", text[1:], text + "0", "g" + text[1:], text[:62] + "ü"} {
		if _, err := ParseID(bad); err == nil {
			t.Errorf("%q parses", bad)
		}
	}
}

func TestName(t *testing.T) {
	for _, good := range []string{"a", "eosio", "eosio.token", "bpalpha", "zzzzzzzzzzzzj", "1.2", ".a", "a.b.c.d.e.f"} {
		n, err := ParseName(good)
		if err != nil || n.String() != good {
			t.Errorf("%q: %s, %v", good, n, err)
		}
	}
	for _, bad := range []string{"", ".", "a.", "A", "a6", "a_b", "bp alpha", "abcdefghijklmn", "aaaaaaaaaaaak", "aaaaaaaaaaaaz", "ü"} {
		if n, err := ParseName(bad); err == nil {
			t.Errorf("%q parses to %s", bad, n)
		}
	}
	for text, want := range map[string]Name{"eosio": nameEosio, "reqauth": nameReqauth, "active": nameActive} {
		if n, err := ParseName(text); err != nil || n != want {
			t.Errorf("%s is %x, %v; want %x", text, uint64(n), err, uint64(want))
		}
	}
}

func TestSlot(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixNano()
	}
	tests := []struct {
		time string
		slot Slot
	}{
		{"1969-01-01T00:00:00Z", 0},
		{"2000-01-01T00:00:00Z", 0},
		{"2000-01-01T00:00:00.499999999Z", 0},
		{"2000-01-01T00:00:00.5Z", 1},
		{"2026-11-21T07:07:25.5Z", 1697120091},
		{"2026-11-21T07:07:25.999Z", 1697120091},
	}
	for _, tt := range tests {
		if got := SlotAt(at(tt.time)); got != tt.slot {
			t.Errorf("%s: slot %d, want %d", tt.time, got, tt.slot)
		}
	}
	if SlotAt(math.MaxInt64) != math.MaxUint32 {
		t.Error("the last slot must stay the last")
	}
	s := Slot(1697120160)
	if SlotAt(s.Time()) != s || SlotAt(s.Time()-1) != s-1 || s.Index() != 0 || (s+13).Index() != 1 || s.Round() != 141426680 {
		t.Errorf("slot %d: time %d, index %d, round %d", s, s.Time(), s.Index(), s.Round())
	}
}
