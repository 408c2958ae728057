package checker_test

import (
	"fmt"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

const own = p2pwire.Name(0x3ca8d00000000000) // any name will do

var key = p2pwire.K1PrivateFromSeed("checker")

// block builds a block frame; salt makes siblings differ.
func block(slot p2pwire.Slot, previous p2pwire.ID, salt byte) (frame []byte, id p2pwire.ID) {
	b := p2pwire.BlockBuilder{
		Slot: slot, Producer: own, Previous: previous, ActionMRoot: p2pwire.ID{salt},
		ScheduleVersion: p2pwire.ScheduleVersionSavanna, QC: &p2pwire.QCClaim{}, Signer: key,
	}
	body, id := b.AppendBlock(nil)
	return p2pwire.AppendRawFrame(nil, p2pwire.TypeSignedBlock, body), id
}

func vote(id p2pwire.ID, strong bool) []byte {
	return p2pwire.AppendRawFrame(nil, p2pwire.TypeVote, p2pwire.AppendVote(nil, id, strong, [96]byte{1}, [192]byte{2}))
}

// TestRules feeds what breaks one rule at a time.
func TestRules(t *testing.T) {
	const slot = p2pwire.Slot(1200)
	one, oneID := block(slot, p2pwire.ID{3: 9}, 0)
	sibling, _ := block(slot, p2pwire.ID{3: 9}, 1)
	two, twoID := block(slot+1, oneID, 0)
	three, threeID := block(slot+2, twoID, 0)
	type feed struct {
		stream string
		frames [][]byte
	}
	for _, tt := range []struct {
		name  string
		feeds []feed
		want  []checker.Rule
	}{
		{"good", []feed{{"a", [][]byte{one, vote(oneID, true), two, vote(twoID, true), three}}, {"b", [][]byte{two, three}}}, nil},
		{"a vote may precede its block", []feed{{"a", [][]byte{one, vote(twoID, true), two}}}, nil},
		{"siblings on one stream", []feed{{"a", [][]byte{one, sibling}}}, []checker.Rule{checker.RuleOneBlockPerSlot}},
		{"siblings on two streams", []feed{{"a", [][]byte{one}}, {"b", [][]byte{sibling}}}, []checker.Rule{checker.RuleOneBlockPerSlot}},
		{"child first", []feed{{"a", [][]byte{two, one}}}, []checker.Rule{checker.RuleParentsFirst}},
		{"twice on a stream", []feed{{"a", [][]byte{one, one}}}, []checker.Rule{checker.RuleOnce}},
		{"vote twice", []feed{{"a", [][]byte{one, vote(oneID, true), vote(oneID, true)}}}, []checker.Rule{checker.RuleOnce}},
		{"votes out of order", []feed{{"a", [][]byte{one, two, three, vote(threeID, true), vote(oneID, true)}}}, []checker.Rule{checker.RuleVoteOrder}},
		{"two votes for a block", []feed{{"a", [][]byte{one, vote(oneID, true), vote(oneID, false)}}}, []checker.Rule{checker.RuleVoteOrder}},
		{"garbage", []feed{{"a", [][]byte{{0, 0, 0, 0, 0}}}}, []checker.Rule{checker.RuleFraming}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := checker.New(checker.Config{Own: []p2pwire.Name{own}, Schedule: []p2pwire.Name{own}})
			for _, f := range tt.feeds {
				for _, frame := range f.frames {
					for len(frame) > 0 { // in pieces
						n := min(len(frame), 50)
						c.Feed(1, f.stream, frame[:n])
						frame = frame[n:]
					}
				}
			}
			r := c.Report(slot, slot+2, nil)
			var got []checker.Rule
			for _, v := range r.Violations {
				got = append(got, v.Rule)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("violations %v, want %v", r.Violations, tt.want)
			}
			if r.OK() != (len(tt.want) == 0) {
				t.Error("OK disagrees with the violations")
			}
		})
	}
}

// TestParents: an own block whose parent nobody has is a breach, but for a peer that says it has one as
// high; and there it is made good by the next peer that gets both, or shows with the first that does not.
func TestParents(t *testing.T) {
	const slot = p2pwire.Slot(1200)
	one, oneID := block(slot, p2pwire.ID{3: 9}, 0)
	two, twoID := block(slot+1, oneID, 0)
	three, threeID := block(slot+2, twoID, 0)
	four, _ := block(slot+3, threeID, 0)
	first, err := p2pwire.ParseBlock(p2pwire.Frame(one).Body())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		root  uint32 // named by a
		feeds []string
		want  bool
	}{
		"parent first":                     {0, []string{"a2", "a3"}, true},
		"child alone":                      {0, []string{"a3"}, false},
		"child alone, low root":            {twoID.Num() - 1, []string{"a3"}, false},
		"child alone, root as high":        {twoID.Num(), []string{"a3"}, true},
		"then both to another":             {twoID.Num(), []string{"a3", "b2", "b3"}, true},
		"then the child to another":        {twoID.Num(), []string{"a3", "b3"}, false},
		"the other first, then the parent": {twoID.Num(), []string{"a3", "b3", "b2"}, false},
		"then the run to another":          {threeID.Num(), []string{"a4", "b2", "b3", "b4"}, true},
		"then one left out":                {threeID.Num(), []string{"a4", "b2", "b4"}, false},
	} {
		c := checker.New(checker.Config{Own: []p2pwire.Name{own}, Schedule: []p2pwire.Name{own}})
		c.Network(1, first)
		c.Root("a", tt.root)
		for _, f := range tt.feeds {
			c.Feed(1, f[:1], map[byte][]byte{'2': two, '3': three, '4': four}[f[1]])
		}
		if got := len(c.Violations()) == 0; got != tt.want {
			t.Errorf("%s: %v", name, c.Violations())
		}
	}
}

// TestParentAfterAQuestion: a peer that says that it lacks something may get the parent of a block that was
// on its way to it then, and not of one that leaves later.
func TestParentAfterAQuestion(t *testing.T) {
	const slot = p2pwire.Slot(1200)
	one, oneID := block(slot, p2pwire.ID{3: 9}, 0)
	two, twoID := block(slot+1, oneID, 0)
	three, _ := block(slot+2, twoID, 0)
	for left, want := range map[int64]bool{5: true, 15: false} {
		c := checker.New(checker.Config{Own: []p2pwire.Name{own}, Schedule: []p2pwire.Name{own}})
		c.FeedSent(1, 1, "a", one)
		c.Asked(10, "a")
		c.FeedSent(20, left, "a", three)
		c.FeedSent(21, 16, "a", two)
		if got := len(c.Violations()) == 0; got != want {
			t.Errorf("left at %d: %v", left, c.Violations())
		}
	}
}

// TestRunBehindAnotherInstance: a run may go on behind a block of ours that the network had from another
// instance, if that was on our last one, and not around it.
func TestRunBehindAnotherInstance(t *testing.T) {
	const slot = p2pwire.Slot(1200)
	one, oneID := block(slot, p2pwire.ID{3: 1}, 0)
	foreign, foreignID := block(slot+1, oneID, 1)
	beside, besideID := block(slot+1, p2pwire.ID{3: 1}, 1)
	for name, tt := range map[string]struct {
		between []byte
		parent  p2pwire.ID
		shown   int64
		want    bool
	}{
		"on ours":      {nil, oneID, 0, true},
		"behind it":    {foreign, foreignID, 2, true},
		"not shown":    {foreign, foreignID, 9, false},
		"around ours":  {beside, besideID, 2, false},
		"nobody's":     {nil, foreignID, 0, false},
		"on the first": {foreign, p2pwire.ID{3: 1}, 2, false},
	} {
		c := checker.New(checker.Config{Own: []p2pwire.Name{own}, Schedule: []p2pwire.Name{own}})
		other, _ := block(slot-1, p2pwire.ID{}, 3)
		network := func(at int64, frame []byte) {
			b, err := p2pwire.ParseBlock(p2pwire.Frame(frame).Body())
			if err != nil {
				t.Fatal(err)
			}
			c.Network(at, b)
		}
		network(1, other)
		c.Feed(1, "a", one)
		if tt.between != nil {
			network(tt.shown, tt.between)
		}
		next, _ := block(slot+2, tt.parent, 0)
		c.Feed(5, "a", next)
		if got := len(c.Violations()) == 0; got != tt.want {
			t.Errorf("%s: %v", name, c.Violations())
		}
	}
}

// TestLost counts missing slots by whether their round had a kill.
func TestLost(t *testing.T) {
	const round = p2pwire.Slot(1200)
	previous := p2pwire.ID{3: 9}
	c := checker.New(checker.Config{Own: []p2pwire.Name{own}, Schedule: []p2pwire.Name{own}})
	for i := range p2pwire.Slot(36) {
		if i == 5 || i == 6 || i == 20 {
			continue
		}
		frame, id := block(round+i, previous, 0)
		c.Feed((round+i).Time()-1e8, "a", frame)
		previous = id
	}
	orphan, _ := block(round+36, p2pwire.ID{3: 1}, 7)
	c.Feed((round + 36).Time(), "a", orphan)
	last, _ := block(round+37, previous, 0)
	c.Feed((round + 37).Time(), "a", last)

	r := c.Report(round, round+37, []int64{(round + 4).Time()})
	got := [...]int{r.SlotsDue, r.SlotsPublic, r.SlotsDouble, r.SlotsLostInRound, r.SlotsLostOutside, r.SlotsOrphaned}
	if want := [...]int{38, 35, 0, 2, 1, 1}; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if !r.Slots[4].InKill || r.Slots[12].InKill || r.Slots[0].First != -100*time.Millisecond {
		t.Errorf("slots: %+v", r.Slots[0])
	}
	// A kill just before a round's first timestamp falls into that round.
	if r := c.Report(round+12, round+23, []int64{(round + 12).Time() - 4e8}); r.SlotsLostInRound != 1 {
		t.Errorf("lost in round: %d", r.SlotsLostInRound)
	}
}

// TestF1 is the problem without a relay: two nodes with one key, both peered
// with the network, show it two blocks for a slot; one alone does not.
func TestF1(t *testing.T) {
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		for _, siblings := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s siblings %t", mode, siblings), func(t *testing.T) {
				report := runF1(t, mode, siblings)
				if report.SlotsDue != 36 || report.SlotsLostOutside != 0 {
					t.Errorf("due %d, lost %d", report.SlotsDue, report.SlotsLostOutside)
				}
				if siblings && report.SlotsDouble < 20 || !siblings && report.SlotsDouble+len(report.Violations) != 0 {
					t.Errorf("%d slots with two blocks, violations %v", report.SlotsDouble, report.Violations)
				}
			})
		}
	}
}

func runF1(t *testing.T, mode simnet.Mode, siblings bool) checker.Report {
	t.Helper()
	producers := []string{"bpalpha", "bpbeta", "bpgamma", "bpdelta"}
	chain := simnet.NewChain(simnet.ChainConfig{Mode: mode, Seed: 1, Producers: producers})
	w := simnet.NewWorld(simnet.WorldConfig{Seed: 1, Start: chain.GenesisTime()})
	add := func(name, producer string, peers ...string) *simnet.Node {
		cfg := simnet.Config{Name: name, Chain: chain, Seed: 1, Address: name, EnableStaleProduction: true, VoteThreads: 2, Peers: peers}
		if producer != "" {
			cfg.Producers, cfg.Finalizers = []string{producer}, []string{producer}
		}
		n := simnet.NewNode(cfg)
		w.Add(name, n)
		return n
	}
	beta := add("beta:1", "bpbeta")
	add("gamma:1", "bpgamma", "beta:1")
	add("delta:1", "bpdelta", "beta:1", "gamma:1")
	add("obs:1", "", "beta:1", "gamma:1", "delta:1")
	add("a:1", "bpalpha", "beta:1", "delta:1")
	if siblings {
		add("b:1", "bpalpha", "gamma:1", "obs:1")
	}
	w.Run(30 * time.Second)
	c := checker.New(checker.Config{Own: chain.Producers()[:1], Schedule: chain.Producers()})
	w.Tap(func(now simnet.Instant, d simnet.Delivery) {
		// Only what the producer's nodes send towards the network.
		if d.From == "a:1" || d.From == "b:1" {
			c.Feed(now.Wall, fmt.Sprintf("%s>%s/%d", d.From, d.To, d.Conn), d.Data)
		}
	})
	nonce := uint64(0)
	for at := w.Now().Mono; at < 110*time.Second; at += 250 * time.Millisecond {
		w.At(at, func() {
			nonce++
			frame, _ := chain.Transaction(nonce, uint32(w.Now().Wall/1e9)+60)
			w.Call("beta:1", func(now simnet.Instant) { beta.PushTransaction(now, frame) })
		})
	}
	first := chain.NextRound("bpalpha", p2pwire.SlotAt(w.Now().Wall)+2)
	w.RunToWall((first + 3*48 - 1).Time())
	report := c.Report(first, first+2*48+11, nil)
	report.Violations = onlyOwnRules(report.Violations, siblings)
	return report
}

// onlyOwnRules drops, for two siblings, what they break besides: both vote with
// one key.
func onlyOwnRules(all []checker.Violation, siblings bool) (out []checker.Violation) {
	for _, v := range all {
		if !siblings || v.Rule == checker.RuleOneBlockPerSlot {
			out = append(out, v)
		}
	}
	return out
}
