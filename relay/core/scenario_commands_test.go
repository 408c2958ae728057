package core_test

import (
	"bytes"
	"strconv"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// command is one word of the scripts' language. usage is what may follow it.
type command struct {
	usage string
	run   func(*world, *args)
}

const defaultFinalizer = "fin"

// scenarioCommands is the language. README.txt says what each does.
func scenarioCommands() map[string]command {
	return map[string]command{
		"modes":      {"[legacy] [savanna]", func(_ *world, a *args) { a.words = nil }},
		"start":      {"nodes=NAME,... peers=NAME,... [CONFIGURATION]", cmdStart},
		"relay":      {"[before=DURATION] [CONFIGURATION]", cmdRelay},
		"restart":    {"", func(w *world, _ *args) { w.restart() }},
		"peer":       {"NAME [root=BLOCK] head=BLOCK [accepted]", cmdPeer},
		"node":       {"NAME [root=BLOCK] head=BLOCK [priority=N] [new]", cmdNode},
		"close":      {"NAME", func(w *world, a *args) { w.live(a.need("name")).drop() }},
		"dies":       {"NODE", cmdDies},
		"unread":     {"NAME", func(w *world, a *args) { w.r.hold[w.live(a.need("name")).id] = true }},
		"read":       {"NAME", cmdRead},
		"block":      {"NAME on=BLOCK [slot=N] [by=PRODUCER] [from=NAME,...] [at=DURATION|now] [qc=BLOCK] [signed=PRODUCER]", cmdBlock},
		"send":       {"BLOCK ... from=NAME,...", cmdSend},
		"twin":       {"NAME of=BLOCK", cmdTwin},
		"fatal":      {"BLOCK|FINALIZER", func(w *world, a *args) { w.fatal[a.need("name")] = true }},
		"vote":       {"BLOCK from=NAME,... [key=FINALIZER] [weak]", cmdVote},
		"trx":        {"NAME from=NAME,...", cmdTrx},
		"handshake":  {"NAME [root=BLOCK] head=BLOCK", cmdHandshake},
		"handshakes": {"shown|hidden", func(w *world, a *args) { w.shakes = a.need("word") == "shown" }},
		"request":    {"after=BLOCK from=NAME", cmdRequest},
		"wait":       {"DURATION", func(w *world, a *args) { w.run(a.duration(a.need("duration"))) }},
		"until":      {"SLOT [DURATION]", cmdUntil},
		"clock":      {"DURATION", cmdClock},
		"offset":     {"NAME DURATION", func(w *world, a *args) { w.offset[a.need("name")] = a.duration(a.need("duration")) }},
		"claims":     {"approved|denied|failed|pending", func(w *world, a *args) { w.claims.verdict = a.verdict(a.need("verdict")) }},
		"decide":     {"BLOCK approved|denied|failed", cmdDecide},
		"status":     {"", cmdStatus},
	}
}

// configuration reads what every relay can be told; a word that is not there leaves the default.
func (a *args) configuration() func(*core.Config) {
	w := a.w
	producers := a.list("producers")
	if producers == nil {
		producers = []string{ourName.String()}
	}
	for _, p := range producers {
		w.ours[p] = true
	}
	keys, journal := a.flag("keys"), a.flag("journal")
	scripted := a.flag("claims") || journal
	fence := a.duration(a.opt("fence", "0s"))
	if scripted {
		w.claims = &scriptedClaims{verdict: core.Approved}
	}
	return func(c *core.Config) {
		c.Producers = nil
		for _, p := range producers {
			own := core.Producer{Name: name(p)}
			if keys {
				own.Keys = append(own.Keys, p2pwire.K1PrivateFromSeed(p).Public())
			}
			c.Producers = append(c.Producers, own)
		}
		c.StartFence = fence
		if w.claims != nil {
			c.Claimer = w.claims
		}
		if journal {
			// What was approved is known after a restart, and nothing else was let out before.
			c.Restored = core.Restored{Claims: w.claims.approved, Complete: true, Fences: map[p2pwire.Name]p2pwire.Slot{}}
			for _, p := range c.Producers {
				c.Restored.Fences[p.Name] = 0
			}
		}
	}
}

func cmdRelay(w *world, a *args) {
	w.relay(a.duration(a.opt("before", "20s")), a.configuration())
}

// cmdStart is the usual beginning: everybody has the block of slot -1, half a second before slot 0.
func cmdStart(w *world, a *args) {
	nodes, peers := a.list("nodes"), a.list("peers")
	w.relay(20*time.Second, a.configuration())
	prior := w.block("prior")
	for _, name := range peers {
		w.greet(w.open(core.Network, name, 0, false), w.block("root"), prior)
		w.live(name).send(prior.frame)
	}
	for _, name := range nodes {
		w.greet(w.open(core.Internal, name, 0, false), prior, prior)
	}
	head := w.make("head", prior, base-1, otherName.String(), nil)
	w.remember("head", head)
	w.until(base-1, -200*time.Millisecond)
	for _, name := range peers {
		w.live(name).send(head.frame)
	}
	w.collect() // and what is asked is answered
	w.until(base-1, -50*time.Millisecond)
	w.collect()
	for _, name := range nodes {
		w.stand[name] = [2]blk{prior, head}
	}
	w.lines = nil
}

func cmdPeer(w *world, a *args) {
	name := a.need("name")
	head := w.block(a.opt("head", ""))
	root := w.block(a.opt("root", "root"))
	if p := w.open(core.Network, name, 0, a.flag("accepted")); p != nil {
		w.greet(p, root, head)
	}
}

func cmdNode(w *world, a *args) {
	name := a.need("name")
	head := w.block(a.opt("head", ""))
	root := w.block(a.opt("root", "prior"))
	priority, err := strconv.Atoi(a.opt("priority", "0"))
	if err != nil {
		w.fatalf("priority: %v", err)
	}
	if a.flag("new") {
		w.newProcess(name)
	}
	w.greet(w.open(core.Internal, name, priority, false), root, head)
}

func cmdDies(w *world, a *args) {
	p := w.live(a.need("node"))
	p.drop()
	w.r.c.DialFailed(w.r.now, p.side, p.name, nil)
	w.r.pump()
}

func cmdRead(w *world, a *args) {
	delete(w.r.hold, w.live(a.need("name")).id)
	w.r.pump()
}

// due is when a block leaves its node, as an offset to its slot: own blocks as nodeos makes them,
// those of others come from far.
func due(slot p2pwire.Slot, own bool) time.Duration {
	if own {
		return -early(slot)
	}
	return 0
}

func cmdBlock(w *world, a *args) {
	name, on := a.need("name"), w.block(a.opt("on", ""))
	from := a.list("from")
	slot := on.slot + 1
	if text := a.opt("slot", ""); text != "" {
		slot = a.slot(text)
	}
	by := a.opt("by", "")
	switch {
	case by != "":
	case len(from) == 0:
		w.fatalf("block: who made it? by= or from= is needed")
	case w.live(from[0]).side == core.Internal:
		by = ourName.String()
	default:
		by = otherName.String()
	}
	at, qc, signed := a.opt("at", ""), a.opt("qc", ""), a.opt("signed", "")
	b := w.make(name, on, slot, by, func(b *p2pwire.BlockBuilder) {
		if qc != "" && w.savanna {
			savanna(w.block(qc).id.Num())(b)
		}
		if signed != "" {
			b.Signer = p2pwire.K1PrivateFromSeed(signed)
		}
	})
	w.remember(name, b)
	if len(from) == 0 {
		return
	}
	switch at {
	case "":
		w.until(slot, due(slot, w.ours[by]))
	case "now":
	default:
		w.until(slot, a.duration(at))
	}
	w.send(b.frame, from)
}

// send lets peers or nodes send the same bytes, one after the other.
func (w *world) send(f []byte, from []string) {
	for _, name := range from {
		w.live(name).send(f)
		w.collect()
	}
}

func cmdSend(w *world, a *args) {
	from := a.list("from")
	for b := a.need("block"); b != ""; b = a.next() {
		w.send(w.block(b).frame, from)
	}
}

// cmdTwin makes other bytes under the same id: the signature is spoilt.
func cmdTwin(w *world, a *args) {
	name, of := a.need("name"), w.block(a.opt("of", ""))
	v, err := p2pwire.ParseBlock(p2pwire.Frame(of.frame).Body())
	if err != nil {
		w.fatalf("twin: %v", err)
	}
	f := bytes.Clone(of.frame)
	f[p2pwire.PrefixLen+1+v.HeaderEnd+20] ^= byte(1 + len(w.payloads))
	w.remember(name, blk{id: of.id, slot: of.slot, frame: f})
}

func cmdVote(w *world, a *args) {
	b, from := w.block(a.need("block")), a.list("from")
	key := a.opt("key", defaultFinalizer)
	if _, ok := w.keys[key]; !ok {
		w.keys[key] = byte(len(w.keys) + 1)
	}
	f := voteFrame(b, w.keys[key])
	if a.flag("weak") {
		f = weak(f)
	}
	w.send(f, from)
}

func cmdTrx(w *world, a *args) {
	name := a.need("name")
	f := trxFrame(w.r, name)
	w.payloads[string(f)] = name
	w.send(f, a.list("from"))
}

func cmdHandshake(w *world, a *args) {
	p := w.live(a.need("name"))
	usual := "root"
	if p.side == core.Internal {
		usual = "prior"
	}
	root := w.block(a.opt("root", usual))
	w.greet(p, root, w.block(a.opt("head", "")))
}

func cmdRequest(w *world, a *args) {
	after := w.block(a.opt("after", ""))
	w.live(a.opt("from", "")).send(p2pwire.AppendFrame(nil, p2pwire.Request{
		Blocks: p2pwire.IDList{Mode: p2pwire.ListCatchUp, IDs: []p2pwire.ID{after.id}},
	}))
}

func cmdUntil(w *world, a *args) {
	slot := a.slot(a.need("slot"))
	var d time.Duration
	if text := a.next(); text != "" {
		d = a.duration(text)
	}
	w.until(slot, d)
}

func cmdClock(w *world, a *args) {
	d := int64(a.duration(a.need("duration")))
	w.r.now.Wall += d
	w.skew += d
}

func (a *args) verdict(text string) core.Verdict {
	a.w.Helper()
	switch text {
	case "approved":
		return core.Approved
	case "denied":
		return core.Denied
	case "failed":
		return core.Failed
	case "pending":
		return core.Pending
	}
	a.w.fatalf("%s: no verdict %q", a.name, text)
	return 0
}

func cmdDecide(w *world, a *args) {
	b := w.block(a.need("block"))
	v := a.verdict(a.need("verdict"))
	for _, cl := range w.claims.asked {
		if cl.ID == b.id {
			w.claims.note(cl, v)
			w.r.c.ClaimDecided(w.r.now, cl, v)
			w.r.pump()
			return
		}
	}
	w.fatalf("the relay never claimed a slot for it")
}

func cmdStatus(w *world, _ *args) {
	st := w.r.c.Snapshot(w.r.now)
	ref := func(b *core.BlockRef) string {
		for id, name := range w.names {
			if b != nil && id.String() == b.ID {
				return name
			}
		}
		return "none"
	}
	w.say("public head %s, last of ours %s, lead %q, %d blocks and %d votes wait", ref(st.PublicHead), ref(st.LastClaimed), st.Lead, st.HeldBlocks, st.HeldVotes)
}
