package sim

import (
	"time"

	"bprelay/test/simnet"
)

// flavours are the kinds of worlds, one after the other by seed.
var flavours = []func(d *draft){
	(*draft).quiet,
	(*draft).crashes,
	(*draft).uplinks,
	(*draft).relays,
	(*draft).pauses,
	(*draft).forks,
	(*draft).twins,
	(*draft).made,
	(*draft).instance,
	(*draft).exhausted,
	(*draft).clocks,
	(*draft).blip,
	(*draft).voters,
	(*draft).steer,
	(*draft).crashes,
	(*draft).mixed,
	(*draft).disks,
}

// quiet: nothing happens, or peers of the network come and go.
func (d *draft) quiet() {
	if d.rng.IntN(2) == 0 {
		d.Trx = 0
	}
	if d.rng.IntN(3) == 0 {
		d.Nodes, d.Layout, d.Length = 1+d.rng.IntN(2), "a", 25*time.Second
		if d.Mode == simnet.Legacy {
			d.Trx = 0 // a sibling's own branch would be irreversible at once
		}
		if d.Nodes == 1 && d.rng.IntN(2) == 0 {
			d.endless()
		}
	}
	if d.rng.IntN(3) == 0 {
		d.add(Fault{At: d.any(), Kind: Reset, A: "relay", B: "net0"})
	}
}

// endless: nobody else makes blocks, and ours come late by rounds, or have to be fetched.
func (d *draft) endless() {
	d.Length = 60 * time.Second
	at := d.between(settled, 30*time.Second)
	switch d.rng.IntN(4) {
	case 0:
		d.add(Fault{At: at, Kind: Kill, A: "relay", For: d.between(10*time.Millisecond, 4*time.Second)})
	case 1:
		d.add(Fault{At: at, Kind: Pause, A: "relay", For: d.between(100*time.Millisecond, 4*time.Second)})
	default:
		d.add(Fault{At: at, Kind: Cut, A: "bp0", B: "relay", For: d.between(100*time.Millisecond, 27*time.Second)})
	}
}

func (d *draft) crash(at time.Duration) {
	f := Fault{At: at, Kind: pick(d, Kill, Kill, Stale, Stale, Old), A: d.node(), For: pick(d, d.between(50*time.Millisecond, 4*time.Second), d.between(10*time.Millisecond, 300*time.Millisecond))}
	if f.Kind == Old {
		f.By = d.between(time.Second, 15*time.Second)
	}
	d.add(f)
}

// crashes: our nodes die and come back, on what they have.
func (d *draft) crashes() {
	d.Nodes = 2 + d.rng.IntN(2)
	d.times(6, func() { d.crash(d.inRun()) })
}

func (d *draft) uplink(at time.Duration) {
	peer := d.peer()
	switch d.rng.IntN(5) {
	case 0:
		d.add(Fault{At: at, Kind: Reset, A: "relay", B: peer})
	case 1:
		d.add(Fault{At: at, Kind: Cut, A: "relay", B: peer, For: d.between(100*time.Millisecond, 3*time.Second)})
	case 2:
		d.add(Fault{At: at, Kind: Cut, A: peer, B: "relay", For: d.between(100*time.Millisecond, 3*time.Second)})
	case 3:
		d.add(Fault{At: at, Kind: Latency, A: "relay", B: peer, For: d.between(100*time.Millisecond, 3*time.Second), By: d.between(20*time.Millisecond, 700*time.Millisecond)})
	case 4:
		d.add(Fault{At: at, Kind: pick(d, Kill, Pause, Slow), A: peer, For: d.between(100*time.Millisecond, 4*time.Second)})
	}
}

// uplinks: connections to the network break, hang, are slow.
func (d *draft) uplinks() { d.times(5, func() { d.uplink(pick(d, d.inRun(), d.any())) }) }

// blip: all connections to the network break at once, around our round or its end.
func (d *draft) blip() {
	d.Distance = pick(d, 0, 0, 30*time.Millisecond)
	starts, length := d.runs()
	at := pick(d, starts...) + pick(d, length-d.between(1200*time.Millisecond, 2*time.Second), d.between(-time.Second, length))
	for _, p := range append(numbered("net", d.Peers), "obs") {
		d.add(Fault{At: at, Kind: Reset, A: "relay", B: p})
		if d.rng.IntN(4) == 0 {
			d.add(Fault{At: at + 50*time.Millisecond, Kind: Reset, A: "relay", B: p})
		}
	}
	if d.rng.IntN(2) == 0 {
		d.uplink(d.any())
	}
}

// voters: behind our run, while our nodes do not agree in their votes, some are late and others lose
// their link.
func (d *draft) voters() {
	d.Mode, d.Trx, d.Nodes = simnet.Savanna, 150*time.Millisecond, 2+d.rng.IntN(2)
	d.Layout, d.Peers, d.Length = "nac", 2, 39*time.Second
	starts, length := d.runs()
	for _, start := range starts {
		late, end := d.node(), start+length-500*time.Millisecond
		// Without net1 there is no quorum, and a node that was on another branch votes weakly for long.
		d.add(Fault{At: end - time.Second, Kind: Pause, A: "net1", For: 4 * time.Second})
		d.add(Fault{At: end, Kind: Latency, A: late, B: "relay", For: 3 * time.Second, By: d.between(50*time.Millisecond, 600*time.Millisecond)})
		for _, n := range numbered("bp", d.Nodes) {
			if n != late {
				d.add(Fault{At: end + d.between(0, 2*time.Second), Kind: Reset, A: "relay", B: n})
				d.add(Fault{At: end + d.between(0, 2*time.Second), Kind: Reset, A: "relay", B: n})
			}
		}
	}
	if d.rng.IntN(3) == 0 {
		d.add(Fault{At: d.inRun(), Kind: Pause, A: d.node(), For: d.between(500*time.Millisecond, 3*time.Second)})
	}
}

// relays: the relay dies in a round, alone or while something else is wrong.
func (d *draft) relays() {
	if d.rng.IntN(2) == 0 {
		d.Nodes = 1
	}
	at := d.inRun()
	d.add(Fault{At: at, Kind: Kill, A: "relay", For: d.between(10*time.Millisecond, 2500*time.Millisecond)})
	switch d.rng.IntN(4) {
	case 0:
		d.add(Fault{At: d.inRun(), Kind: Pause, A: "relay", For: d.between(100*time.Millisecond, 3*time.Second)})
	case 1:
		d.add(Fault{At: at + d.between(0, 200*time.Millisecond), Kind: Isolate, A: "relay", For: d.between(500*time.Millisecond, 4*time.Second)})
	case 2:
		d.add(Fault{At: d.inRun(), Kind: Reset, A: "relay", B: d.node()})
	}
}

// journals gives the relay a state directory.
func (d *draft) journals() {
	d.Journal = pick(d, time.Millisecond, 5*time.Millisecond, 30*time.Millisecond)
}

// disks: a relay that journals is restarted in a round, its disk whole or not, while those who have its
// last blocks are out of reach and another node of ours made other ones. Or one that does not journal.
func (d *draft) disks() {
	stateless := d.rng.IntN(3) == 0
	d.journals()
	d.Nodes, d.Trx, d.Distance = 2+d.rng.IntN(2), 150*time.Millisecond, pick(d, 0, 0, 30*time.Millisecond)
	starts, _ := d.runs()
	for _, start := range starts {
		at := start + d.between(-500*time.Millisecond, 2*time.Second)
		f := Fault{At: at, Kind: Kill, A: "relay", For: d.between(10*time.Millisecond, 500*time.Millisecond)}
		if d.rng.IntN(3) > 0 && !stateless {
			f.Kind, f.N = Torn, journalRecord*d.rng.IntN(24)+1+d.rng.IntN(journalRecord-1)
		}
		d.add(f)
		switch d.rng.IntN(4) {
		case 0:
			if !stateless {
				d.add(Fault{At: d.inRun(), Kind: Disk, A: "relay", For: d.between(100*time.Millisecond, 2*time.Second)})
			}
		default:
			d.add(Fault{At: at + d.between(0, 50*time.Millisecond), Kind: Isolate, A: "relay", For: d.between(2500*time.Millisecond, 4500*time.Millisecond)})
			d.add(Fault{At: at + d.between(-100*time.Millisecond, 50*time.Millisecond), Kind: pick(d, Kill, Pause), A: d.node(), For: d.between(2*time.Second, 5*time.Second)})
		}
	}
	if stateless {
		d.Journal = 0
	}
}

// pauses: our nodes and the relay stop and go on, with old timers and full buffers.
func (d *draft) pauses() {
	d.times(3, func() {
		f := Fault{At: pick(d, d.inRun(), d.any()), Kind: pick(d, Pause, Pause, Slow), A: pick(d, d.node(), d.node(), "relay"), For: d.between(100*time.Millisecond, 4*time.Second)}
		d.add(f)
		if d.rng.IntN(2) == 0 {
			d.add(Fault{At: f.At + f.For + d.between(-100*time.Millisecond, 200*time.Millisecond), Kind: Reset, A: "relay", B: d.node()})
		}
	})
}

// forks: what the previous producer made last comes late, to all of us or to some.
func (d *draft) forks() {
	d.Nodes = 2 + d.rng.IntN(2)
	starts, _ := d.runs()
	for _, start := range starts {
		at := start - d.between(0, 2500*time.Millisecond)
		length := start + d.between(-400*time.Millisecond, 3*time.Second) - at
		if length <= 0 {
			length = 500 * time.Millisecond
		}
		if d.rng.IntN(3) == 0 {
			d.add(Fault{At: at, Kind: Isolate, A: "relay", For: length})
		} else {
			for _, p := range append(numbered("net", d.Peers), "obs") {
				d.add(Fault{At: at, Kind: Cut, A: p, B: "relay", For: length})
			}
		}
		if d.rng.IntN(3) > 0 {
			d.add(Fault{At: at + d.between(-500*time.Millisecond, 500*time.Millisecond), Kind: Pause, A: d.node(), For: length + d.between(0, 2*time.Second)})
		}
		if d.rng.IntN(3) == 0 {
			d.crash(at + d.between(0, 2*time.Second))
		}
	}
}

// suppress: damaged copies come before the good ones, and nothing else is wrong: the good ones must get
// through before the next block comes.
func (d *draft) suppress() {
	d.Nodes, d.Distance = 2+d.rng.IntN(2), 0
	for at := settled; at < d.Length-4*time.Second; at += d.between(2*time.Second, 5*time.Second) {
		d.add(Fault{At: at, Kind: Twins, For: d.between(500*time.Millisecond, 1500*time.Millisecond)})
	}
}

// twins: damaged copies and forged votes come before the good ones.
func (d *draft) twins() {
	if d.rng.IntN(2) == 0 {
		d.suppress()
		return
	}
	d.times(3, func() {
		at := d.between(settled, d.Length-14*time.Second)
		f := Fault{At: at, Kind: pick(d, Twins, Twins, Votes, Echo), For: d.between(500*time.Millisecond, 6*time.Second)}
		if f.Kind == Echo {
			f.By = d.between(0, 2*time.Second)
		}
		d.add(f)
	})
	if d.rng.IntN(2) == 0 {
		d.add(Fault{At: d.any(), Kind: Reset, A: "relay", B: d.node()})
	}
	if d.rng.IntN(2) == 0 {
		d.add(Fault{At: d.inRun(), Kind: Ask, For: d.between(time.Second, 4*time.Second)})
	}
}

// made: blocks nobody can use, on the head, on an old parent, in our name.
func (d *draft) made() {
	d.times(3, func() {
		d.add(Fault{At: d.inRun() - d.between(0, time.Second), Kind: pick(d, Unlink, Ahead, Ahead, Forge, Forge), N: 1 + d.rng.IntN(12)})
	})
}

// steer: made-up blocks and damaged copies right before our run, to have it begin in the wrong place.
func (d *draft) steer() {
	starts, _ := d.runs()
	for _, start := range starts {
		for at := start - 400*time.Millisecond; at < start+100*time.Millisecond; at += 60 * time.Millisecond {
			d.add(Fault{At: at, Kind: pick(d, Unlink, Unlink, Ahead), N: 2})
		}
		if d.rng.IntN(2) == 0 {
			d.add(Fault{At: start - 2*time.Second, Kind: Twins, For: 2 * time.Second})
		}
	}
}

// instance: another instance signs with our key, and clocks jump.
func (d *draft) instance() {
	d.Mode, d.Keys = simnet.Savanna, true
	starts, length := d.runs()
	start := pick(d, starts...)
	at := start + pick(d, d.between(-3*time.Second, -100*time.Millisecond), d.between(0, length-2*time.Second))
	d.add(Fault{At: at, Kind: Own, N: 1 + d.rng.IntN(8)})
	if d.rng.IntN(2) == 0 {
		d.add(Fault{At: at + d.between(20*time.Millisecond, 300*time.Millisecond), Kind: Clock, A: "relay", By: -d.between(500*time.Millisecond, 4*time.Second), For: d.between(time.Second, 5*time.Second)})
	}
}

// exhausted: full blocks leave seconds early, and the relay may die right then.
func (d *draft) exhausted() {
	d.Full = 1 + d.rng.IntN(3)
	starts, _ := d.runs()
	if d.rng.IntN(2) == 0 {
		d.Nodes, d.Distance, d.Full = 2, 0, 1
		for _, start := range starts {
			d.forgotten(start)
		}
		return
	}
	for _, start := range starts {
		at := start - d.between(300*time.Millisecond, 900*time.Millisecond)
		d.add(Fault{At: at, Kind: Burst, A: pick(d, d.node(), "net0"), N: 5 + d.rng.IntN(40)})
		if d.rng.IntN(2) == 0 {
			kill := at + d.between(100*time.Millisecond, 2*time.Second)
			d.add(Fault{At: kill, Kind: Kill, A: "relay", For: d.between(20*time.Millisecond, time.Second)})
			if d.rng.IntN(2) == 0 {
				d.add(Fault{At: kill + 10*time.Millisecond, Kind: Isolate, A: "relay", For: d.between(3*time.Second, 5*time.Second)})
			}
			if d.rng.IntN(2) == 0 {
				d.add(Fault{At: at - d.between(0, 300*time.Millisecond), Kind: Pause, A: d.node(), For: d.between(time.Second, 4*time.Second)})
			}
		}
	}
}

// forgotten: the first blocks of a run leave seconds early, and then the relay dies, the node that made
// them, and the way to all who have them; the other node was asleep and makes its own.
func (d *draft) forgotten(start time.Duration) {
	at := start - d.between(300*time.Millisecond, 490*time.Millisecond)
	kill := at + d.between(60*time.Millisecond, 300*time.Millisecond)
	d.add(Fault{At: at - 100*time.Millisecond, Kind: Pause, A: "bp1", For: kill + 50*time.Millisecond - at + 100*time.Millisecond})
	d.add(Fault{At: at, Kind: Burst, A: "bp0", N: 10 + d.rng.IntN(30)})
	d.add(Fault{At: kill, Kind: Kill, A: "relay", For: d.between(20*time.Millisecond, 200*time.Millisecond)})
	d.add(Fault{At: kill, Kind: Kill, A: "bp0", For: 6 * time.Second})
	d.add(Fault{At: kill + 10*time.Millisecond, Kind: Isolate, A: "relay", For: d.between(4*time.Second, 4500*time.Millisecond)})
}

// clocks: the relay's and our nodes' clocks are off, and jump.
func (d *draft) clocks() {
	d.times(3, func() {
		f := Fault{At: d.any(), Kind: Clock, A: pick(d, "relay", d.node()), By: pick[time.Duration](d, 1, -1) * d.between(20*time.Millisecond, 400*time.Millisecond)}
		if d.rng.IntN(2) == 0 {
			f.For, f.By = d.between(200*time.Millisecond, 5*time.Second), pick[time.Duration](d, 1, -1)*d.between(300*time.Millisecond, 5*time.Second)
		}
		d.add(f)
	})
	if d.rng.IntN(2) == 0 {
		d.crash(d.inRun())
	}
}

// mixed: a little of everything.
func (d *draft) mixed() {
	d.times(6, func() {
		switch d.rng.IntN(9) {
		case 0, 1:
			d.crash(d.any())
		case 2, 3:
			d.uplink(d.any())
		case 4:
			d.add(Fault{At: d.any(), Kind: Kill, A: "relay", For: d.between(10*time.Millisecond, 3*time.Second)})
		case 5:
			d.add(Fault{At: d.any(), Kind: Pause, A: pick(d, d.node(), "relay"), For: d.between(100*time.Millisecond, 4*time.Second)})
		case 6:
			d.add(Fault{At: d.any(), Kind: Reset, A: "relay", B: d.node()})
		case 7:
			d.add(Fault{At: d.any(), Kind: Latency, A: pick(d, "relay", d.node()), B: "relay", For: d.between(100*time.Millisecond, 3*time.Second), By: d.between(10*time.Millisecond, 600*time.Millisecond)})
			f := &d.Faults[len(d.Faults)-1]
			if f.A == "relay" {
				f.B = d.node()
			}
		case 8:
			d.add(Fault{At: d.any(), Kind: Twins, For: d.between(100*time.Millisecond, 3*time.Second)})
		}
	})
}
