package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// Schedule is a world as data: who is there, and what goes wrong when. The same schedule gives the
// same run, to the byte.
type Schedule struct {
	Seed uint64 // of keys, jitter, and where reads are cut
	Mode simnet.Mode
	// Layout is the producer schedule, a letter a round of 6 s, played again and again from the start
	// of the world: a and c are own producers, n, m and o are the network's.
	Layout string
	Nodes  int // ours, called bp0, bp1, ...
	Peers  int // the network's producing nodes, called net0, net1, ...
	Length time.Duration
	// Trx is a transaction every so often at a random node; 0 for none.
	Trx time.Duration
	// Distance is the one-way latency within the network and to it; 0 means next door.
	Distance time.Duration
	// Full is how many transactions make a block exhausted, so that it leaves early; 0 for no limit.
	Full int
	// Buffer is how many bytes a connection of the relay takes that the peer has not read; 0: any.
	Buffer int
	// Keys tells the relay the own producers' signing keys.
	Keys bool
	// Journal is how long the relay's state directory takes to write a claim; 0: it has none.
	Journal time.Duration
	// Takeover is how nodes take over from each other; the vote timeout of ours is leashTimeout then.
	Takeover core.Takeover
	Faults   []Fault
}

// Fault is one thing that goes wrong. Machines are called relay, bp0, net0, obs (a node of the network
// that dials the relay) and evil (a hostile peer).
type Fault struct {
	At   time.Duration // since the start of the world
	Kind FaultKind
	A, B string        // the machine, or the link between A and B; one-way kinds: from A to B
	For  time.Duration // how long it lasts
	By   time.Duration // how much: latency, clock, age of a state
	N    int           // how many
}

// FaultKind says what goes wrong.
type FaultKind string

// The kinds of faults, with the fields they use.
const (
	Kill    FaultKind = "kill"    // A, For: killed, and started again from what it had on disk
	Stale   FaultKind = "stale"   // A (a node of ours), For: as kill, and it produces at once on what it has
	Old     FaultKind = "old"     // A (a node of ours), For, By: as kill, started from a state that is By old
	Pause   FaultKind = "pause"   // A, For: SIGSTOP and SIGCONT
	Slow    FaultKind = "slow"    // A, For: reads and works only every 250 ms
	Reset   FaultKind = "reset"   // A, B: their connections break
	Cut     FaultKind = "cut"     // A, B, For: one way, what is sent waits
	Isolate FaultKind = "isolate" // A, For: cut both ways from all of the network
	Latency FaultKind = "latency" // A, B, For, By: one way, that much more
	Torn    FaultKind = "torn"    // A (a relay that journals), For, N: as kill, and the disk lost the last N bytes it said it had, not just whole records
	Disk    FaultKind = "disk"    // A (a relay that journals), For: no write of its journal succeeds
	Clock   FaultKind = "clock"   // A, For, By: its wall clock is off; For 0: for good
	Burst   FaultKind = "burst"   // A, N: that many transactions at once
	Twins   FaultKind = "twins"   // For: evil sends damaged copies of what it sees before the good ones
	Echo    FaultKind = "echo"    // For, By: evil sends what it sees again, By later
	Unlink  FaultKind = "unlink"  // N: evil sends that many made-up blocks on an old or the newest one, with a QC claim for themselves
	Ahead   FaultKind = "ahead"   // N: evil sends that many made-up blocks on the newest one
	Forge   FaultKind = "forge"   // N: evil sends blocks of an own producer for the next N own slots, badly signed
	Own     FaultKind = "own"     // N: evil does it with a valid signature: another instance has our key
	Votes   FaultKind = "votes"   // For: evil sends forged votes for what it sees
	Ask     FaultKind = "ask"     // For: evil asks for blocks, again and again
)

// duration prints a duration with its unit, without trailing zero units.
func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	return s
}

func (f Fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", duration(f.At), f.Kind)
	for _, name := range []string{f.A, f.B} {
		if name != "" {
			b.WriteByte(' ')
			b.WriteString(name)
		}
	}
	if f.For != 0 {
		fmt.Fprintf(&b, " for=%s", duration(f.For))
	}
	if f.By != 0 {
		fmt.Fprintf(&b, " by=%s", duration(f.By))
	}
	if f.N != 0 {
		fmt.Fprintf(&b, " n=%d", f.N)
	}
	return b.String()
}

// String is the schedule's text form, which [Parse] reads: the world on the first line, then a fault a
// line.
func (s Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "world seed=%d mode=%s layout=%s nodes=%d peers=%d length=%s trx=%s distance=%s full=%d buffer=%d keys=%t journal=%s takeover=%s\n",
		s.Seed, s.Mode, s.Layout, s.Nodes, s.Peers, duration(s.Length), duration(s.Trx), duration(s.Distance), s.Full, s.Buffer, s.Keys, duration(s.Journal), s.Takeover)
	for _, f := range s.Faults {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

// Parse reads the text form. Empty lines and what follows a # are ignored.
func Parse(text string) (Schedule, error) {
	var s Schedule
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		var err error
		if words[0] == "world" {
			err = s.parseWorld(words[1:])
		} else {
			err = s.parseFault(words)
		}
		if err != nil {
			return s, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return s, s.check()
}

// leashTimeout is production-pause-vote-timeout-ms of our nodes where one of them leads.
const leashTimeout = time.Second

func (s *Schedule) parseWorld(words []string) (err error) {
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "seed":
			s.Seed, err = strconv.ParseUint(value, 10, 64)
		case "mode":
			if s.Mode = simnet.Legacy; value == simnet.Savanna.String() {
				s.Mode = simnet.Savanna
			} else if value != s.Mode.String() {
				err = fmt.Errorf("no mode %q", value)
			}
		case "layout":
			s.Layout = value
		case "nodes":
			s.Nodes, err = strconv.Atoi(value)
		case "peers":
			s.Peers, err = strconv.Atoi(value)
		case "full":
			s.Full, err = strconv.Atoi(value)
		case "buffer":
			s.Buffer, err = strconv.Atoi(value)
		case "length":
			s.Length, err = time.ParseDuration(value)
		case "trx":
			s.Trx, err = time.ParseDuration(value)
		case "distance":
			s.Distance, err = time.ParseDuration(value)
		case "keys":
			s.Keys, err = strconv.ParseBool(value)
		case "takeover":
			err = s.Takeover.UnmarshalText([]byte(value))
		case "journal":
			s.Journal, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("no option %q of a world", key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Schedule) parseFault(words []string) (err error) {
	var f Fault
	if len(words) < 2 {
		return fmt.Errorf("a fault is a time and a kind: %q", words[0])
	}
	if f.At, err = time.ParseDuration(words[0]); err != nil {
		return err
	}
	f.Kind = FaultKind(words[1])
	for _, w := range words[2:] {
		switch key, value, option := strings.Cut(w, "="); {
		case !option && f.A == "":
			f.A = w
		case !option:
			f.B = w
		case key == "for":
			f.For, err = time.ParseDuration(value)
		case key == "by":
			f.By, err = time.ParseDuration(value)
		case key == "n":
			f.N, err = strconv.Atoi(value)
		default:
			err = fmt.Errorf("no option %q of a fault", key)
		}
		if err != nil {
			return err
		}
	}
	s.Faults = append(s.Faults, f)
	return nil
}

// check refuses what cannot be played.
func (s Schedule) check() error {
	if s.Layout == "" || strings.Trim(s.Layout, "acnmo") != "" || s.Nodes < 1 || s.Peers < 1 || s.Length <= 0 {
		return fmt.Errorf("a world needs a layout of a, c, n, m and o, nodes, peers and a length")
	}
	machines := map[string]bool{"relay": true, "obs": true, "evil": true, "": true}
	for i := range s.Nodes {
		machines[fmt.Sprintf("bp%d", i)] = true
	}
	for i := range s.Peers {
		machines[fmt.Sprintf("net%d", i)] = true
	}
	for _, f := range s.Faults {
		need := 0
		switch f.Kind {
		case Kill, Stale, Old, Pause, Slow, Isolate, Clock, Burst:
			need = 1
		case Torn, Disk:
			need = 1
			if f.A != "relay" || s.Journal <= 0 || f.Kind == Torn && f.N%journalRecord == 0 {
				return fmt.Errorf("%s: this fault needs a relay that journals, and an end that is not between two records", f)
			}
		case Reset, Cut, Latency:
			need = 2
		case Twins, Echo, Unlink, Ahead, Forge, Own, Votes, Ask:
		default:
			return fmt.Errorf("%s: no such fault", f)
		}
		if !machines[f.A] || !machines[f.B] || (f.A != "") != (need > 0) || (f.B != "") != (need > 1) {
			return fmt.Errorf("%s: this fault needs %d machines that are there", f, need)
		}
	}
	return nil
}
