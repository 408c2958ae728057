package pair

import "testing"

// taken is which claims of a slot a relay took over.
func (d *duo) taken(i int, cl Claim) (n int) {
	for _, e := range d.log[i] {
		if e.Kind == EffectAdopt && e.Claim.Slot == cl.Slot {
			if e.Claim != cl {
				d.t.Errorf("relay %d took over %v", i, e.Claim)
			}
			n++
		}
	}
	return n
}

// What a standby claimed before its restart may be out: it does not acknowledge another block, and tells the
// active, which takes it over. It lets its own out when the active has said so, and not by its journal alone.
func TestClaimOfAnEarlierLife(t *testing.T) {
	x, y := claimOf(1, 1), claimOf(1, 2)
	for _, agreed := range []bool{true, false} {
		d := newDuo(t, nil)
		d.m[1].Known(x, agreed)
		d.m[1].Hold(d.now, x.ID)
		d.m[1].Hold(d.now, y.ID)
		d.m[0].Hold(d.now, y.ID)
		d.run(10 * ms)
		if d.taken(1, x) != 0 {
			t.Errorf("agreed %t: let out by the journal's word", agreed)
		}
		d.up()
		d.run(300 * ms)
		d.roles(Active, Standby)
		v := d.m[0].Claim(d.now, y, []byte("y"))
		if v == Pending {
			d.run(20 * ms)
			v = d.last(0, EffectDecided).Verdict
		}
		if v != Denied {
			t.Errorf("agreed %t: another block: %s", agreed, v)
		}
		if d.taken(0, x) == 0 || d.taken(1, x) == 0 {
			t.Errorf("agreed %t: not taken over: %d, %d", agreed, d.taken(0, x), d.taken(1, x))
		}
		if d.alarmed(0, ReasonDoubleClaim) || d.alarmed(1, ReasonDoubleClaim) {
			t.Errorf("agreed %t: double_claim", agreed)
		}
	}
}

// What was let out alone, if at all, gives way to what the other relay has let out.
func TestClaimMadeAloneGivesWay(t *testing.T) {
	x, y := claimOf(1, 1), claimOf(1, 2)
	for _, agreed := range []bool{true, false} {
		d := newDuo(t, nil)
		d.m[1].Known(x, agreed)
		d.m[0].Known(y, true)
		d.up()
		d.run(20 * ms)
		if got := d.alarmed(1, ReasonDoubleClaim); got != agreed {
			t.Errorf("agreed %t: double_claim %t", agreed, got)
		}
		if got := d.taken(1, y) > 0; got == agreed {
			t.Errorf("agreed %t: taken over %t", agreed, got)
		}
	}
}

// The same block is claimed anew: by the restarted relay itself, and by the other one.
func TestClaimedAnew(t *testing.T) {
	x := claimOf(1, 1)
	for _, agreed := range []bool{true, false} {
		for by := range 2 {
			d := newDuo(t, func(i int, c *Config) { c.Priority = i == by })
			d.m[0].Known(x, agreed)
			d.up()
			d.run(300 * ms)
			v := d.m[by].Claim(d.now, x, []byte("x"))
			if d.run(20 * ms); v == Pending {
				if e := d.last(by, EffectDecided); e.Verdict != Approved || e.Alone {
					t.Errorf("agreed %t, by %d: decided %+v", agreed, by, e)
				}
			} else if v != Approved {
				t.Errorf("agreed %t, by %d: %s", agreed, by, v)
			}
			if d.run(100 * ms); d.taken(1-by, x) == 0 {
				t.Errorf("agreed %t, by %d: the other relay lacks it", agreed, by)
			}
		}
	}
	// Nobody answers: alone, in its right, and not before it is claimed.
	d := newDuo(t, nil)
	d.up()
	d.run(300 * ms)
	d.cut()
	d.m[0].book.put(entry{Claim: x, earlier: true, final: true})
	d.m[0].Due(d.now, 1, 2, d.now)
	d.run(50 * ms)
	for _, e := range d.log[0] {
		if e.Kind == EffectDecided {
			t.Fatalf("decided %+v", e)
		}
	}
	d.m[0].Claim(d.now, x, []byte("x"))
	if d.run(0); !d.last(0, EffectDecided).Alone {
		t.Error("not alone")
	}
}
