package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/checker"
	"bprelay/test/simnet"
)

// saboteur is a hostile peer that answers each block of the network with frames of its own making.
type saboteur struct {
	evil
	answer func(b p2pwire.Block) [][]byte
}

// sabotage plays three quiet schedules without transactions with a saboteur, or with a script.
func sabotage(seed uint64, mode simnet.Mode, answer func(*world) func(p2pwire.Block) [][]byte, script func(*world)) (*world, checker.Report) {
	producers := []string{ourProducer, "bpbeta", "bpgamma", "bpdelta"}
	chain := simnet.NewChain(simnet.ChainConfig{Mode: mode, Seed: seed, Producers: producers})
	x := &world{
		sc: Scenario{Seed: seed, Mode: mode, Nodes: 3}, chain: chain, rng: rand.New(rand.NewPCG(seed, 77)),
		w:     simnet.NewWorld(simnet.WorldConfig{Seed: seed, Start: chain.GenesisTime(), Jitter: 2 * time.Millisecond, Chop: true}),
		nodes: map[string]*simnet.Node{}, down: map[string]*simnet.State{},
	}
	var schedule []p2pwire.Name
	for _, p := range producers {
		n, _ := p2pwire.ParseName(p)
		schedule = append(schedule, n)
	}
	x.check = checker.New(checker.Config{Own: schedule[:1], Schedule: schedule})
	public, ours := names("net%d:1", 3), names("bp%d:1", 3)
	for i, addr := range public {
		x.add(simnet.Config{Name: addr, Address: addr, Peers: append(append([]string(nil), public[:i]...), observerAddr), Producers: producers[i+1 : i+2], Finalizers: producers[i+1 : i+2], EnableStaleProduction: true})
	}
	x.add(simnet.Config{Name: observerAddr, Address: observerAddr, Peers: []string{relayAddr}, VoteThreads: 2})
	for _, addr := range ours {
		x.add(simnet.Config{Name: addr, Address: addr, Producers: producers[:1], Finalizers: producers[:1], EnableStaleProduction: true})
	}
	x.addRelay()
	s := &saboteur{evil: evil{x: x, next: simnet.Never}}
	if answer != nil {
		s.answer = answer(x)
		x.w.Add(evilAddr, s)
		x.w.SetLatency(evilAddr, relayAddr, 100*time.Microsecond)
	}
	pieces := map[simnet.ConnID][]byte{}
	x.w.Tap(func(now simnet.Instant, d simnet.Delivery) {
		if d.From == relayAddr && d.To[:2] != "bp" || d.To == observerAddr {
			x.check.Feed(now.Wall, fmt.Sprintf("%s>%s/%d", d.From, d.To, d.Conn), d.Data)
		}
		if s.answer == nil || d.To != observerAddr || d.From == relayAddr {
			return
		}
		b := append(pieces[d.Conn], d.Data...)
		for {
			f, err := p2pwire.ParseFrame(b)
			if err != nil || f == nil {
				break
			}
			if f.Type() == p2pwire.TypeSignedBlock {
				v, _ := p2pwire.ParseBlock(slices.Clone(f.Body()))
				x.w.Call(evilAddr, func(simnet.Instant) {
					if s.ready {
						for _, out := range s.answer(v) {
							s.sent++
							s.host.Send(s.conn, out)
						}
					}
				})
			}
			b = b[len(f):]
		}
		pieces[d.Conn] = slices.Clone(b)
	})
	cycle := time.Duration(len(producers)) * p2pwire.RoundSlots * p2pwire.SlotDuration
	x.w.Run(cycle)
	first := p2pwire.SlotAt(x.w.Now().Wall) + 1
	x.linksLost = 0
	if script != nil {
		script(x)
	}
	x.w.Run(3 * cycle)
	last := p2pwire.SlotAt(x.w.Now().Wall) - 1
	x.w.Run(2 * time.Second)
	return x, x.check.Report(first, last, nil)
}

func fake(prev p2pwire.ID, slot p2pwire.Slot, qc uint32, savanna bool, nonce byte) []byte {
	who, _ := p2pwire.ParseName("nobody")
	b := p2pwire.BlockBuilder{Slot: slot, Producer: who, Previous: prev, Signer: p2pwire.K1PrivateFromSeed("evil")}
	b.ActionMRoot[0] = nonce
	if savanna {
		b.ScheduleVersion = p2pwire.ScheduleVersionSavanna
		b.QC = &p2pwire.QCClaim{Num: qc, Strong: true}
	}
	body, _ := b.AppendBlock(nil)
	return p2pwire.AppendRawFrame(nil, p2pwire.TypeSignedBlock, body)
}

// One block on an irreversible parent, with an absurd QC claim: the nodes do not link it, the relay
// makes it the public head, and no block of ours goes out any more.
func TestOneUnlinkableBlockMutesUs(t *testing.T) {
	t.Parallel()
	_, rep := sabotage(1, simnet.Savanna, func(x *world) func(p2pwire.Block) [][]byte {
		var seen []p2pwire.ID
		done := false
		return func(b p2pwire.Block) [][]byte {
			seen = append(seen, b.ID)
			if done || len(seen) < 60 {
				return nil
			}
			done = true
			return [][]byte{fake(seen[len(seen)-30], b.Slot, 1<<31, true, 1)}
		}
	}, nil)
	if rep.SlotsPublic < 36 {
		t.Errorf("%d of 36 own slots public", rep.SlotsPublic)
	}
}

// A burst of bad blocks before our round.
func TestBurstOfBadBlocks(t *testing.T) {
	t.Parallel()
	x, rep := sabotage(1, simnet.Legacy, func(x *world) func(p2pwire.Block) [][]byte {
		n := 0
		return func(b p2pwire.Block) (out [][]byte) {
			if n++; n != 60 {
				return nil
			}
			for i := range byte(200) {
				out = append(out, fake(b.ID, b.Slot+1, 0, false, i))
			}
			return out
		}
	}, nil)
	if rep.SlotsPublic < 36 || x.linksLost > 10 {
		t.Errorf("%d of 36 own slots public, %d links lost", rep.SlotsPublic, x.linksLost)
	}
}

// Short resets of the connections to our nodes outside our rounds, nothing else.
func TestResetsOfNodesOutsideOurRounds(t *testing.T) {
	t.Parallel()
	for _, mode := range []simnet.Mode{simnet.Legacy, simnet.Savanna} {
		x, rep := sabotage(3, mode, nil, func(x *world) {
			for i := range 40 {
				x.w.At(x.w.Now().Mono+time.Duration(i)*1710*time.Millisecond, func() {
					if s := p2pwire.SlotAt(x.w.Now().Wall); s.Round()%4 == 2 {
						x.w.Reset(relayAddr, names("bp%d:1", 3)[i%3])
					}
				})
			}
		})
		st := x.relay.Core().Snapshot(x.relay.now).Stats
		if rep.SlotsPublic < 36 || st.Blamed > 0 {
			t.Errorf("%s: %d of 36 own slots public, honest peers blamed %d times", mode, rep.SlotsPublic, st.Blamed)
		}
	}
}
