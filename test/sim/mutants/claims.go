package mutants

const (
	judge   = "relay/core/judge.go"
	claim   = "relay/core/claim.go"
	inbound = "relay/core/inbound.go"
	serve   = "relay/core/serve.go"
	own     = "relay/core/own.go"
	book    = "relay/core/core.go"
	read    = "ha/journal/read.go"
)

// All are the mutants there are.
var All = append(append(claims, lineages...), messages...)

// claims break I1: one block per slot, and what must not take a slot.
var claims = []Mutant{
	{
		Name: "claims keyed by block number", Rule: "I1",
		Edits: []Edit{
			{judge, `c.claims.Get(uint64(e.producer), uint32(e.slot))`, `c.claims.Get(uint64(e.producer), e.num)`},
			{claim, `m.book.Claim(uint64(cl.Producer), uint32(cl.Slot), cl.ID)`, `m.book.Claim(uint64(cl.Producer), cl.ID.Num(), cl.ID)`},
			{claim, `c.claims.Get(uint64(cl.Producer), uint32(cl.Slot))`, `c.claims.Get(uint64(cl.Producer), cl.ID.Num())`},
			{claim, `granted(c.claims.Claim(uint64(cl.Producer), uint32(cl.Slot), cl.ID))`, `granted(c.claims.Claim(uint64(cl.Producer), cl.ID.Num(), cl.ID))`},
			{claim, `r := c.claims.Claim(uint64(cl.Producer), uint32(cl.Slot), cl.ID)`, `r := c.claims.Claim(uint64(cl.Producer), cl.ID.Num(), cl.ID)`},
			{claim, `switch c.claims.Claim(uint64(e.producer), uint32(e.slot), e.id) {`, `switch c.claims.Claim(uint64(e.producer), e.num, e.id) {`},
			{serve, `c.claims.Get(uint64(b.producer), uint32(b.slot))`, `c.claims.Get(uint64(b.producer), b.num)`},
		},
	},
	{
		// A second block for a slot passes the book, where it is asked whether one may leave and again where it
		// leaves. The lineage alone would keep most of those inside, so that follows: what stands beside its last
		// block is as good.
		Name: "claims keyed by id only", Rule: "I1",
		Edits: []Edit{
			{judge, `case p == c.lineage.tip || c.onLineage(p):`, `case p == c.lineage.tip || c.onLineage(p) || e.slot == c.lineage.tip.slot && e.prev == c.lineage.tip.prev:`},
			{judge, "\tid, claimed := c.claims.Get(uint64(e.producer), uint32(e.slot))\n", "\tid, claimed := c.claims.Get(uint64(e.producer), uint32(e.slot))\n\tclaimed = claimed && id == e.id\n"},
			{claim, `return Denied`, `return Approved`},
			{serve, "\treturn ok && id == b.id && (", "\treturn ok && (id == b.id || true) && ("},
			{claim, `case dedup.Claimed, dedup.Same:`, `case dedup.Claimed, dedup.Same, dedup.Taken:`},
		},
	},
	{
		Name: "start fence = start time", Rule: "I1 across restarts",
		Edits: []Edit{{book, `now.Wall + int64(cfg.StartFence)`, `now.Wall`}},
	},
	{
		Name: "claims forgotten on restart", Rule: "a journal's claims hold after a restart",
		Edits: []Edit{{read, "if !l.Claim(c) {", "if false && !l.Claim(c) {"}},
	},
	{
		Name: "journal trusted with a torn tail", Rule: "only a complete journal lifts the start fence",
		Edits: []Edit{{read, "\t\t\tfault(\"it ends within record %d\", place)\n", ""}},
	},
	{
		Name: "claim evicted early", Rule: "the claim book never forgets below a monotone floor",
		Edits: []Edit{
			{book, `dedup.NewSlots(cfg.ClaimEntries)`, `dedup.NewSlots(2)`},
			{"dedup/slots.go", "\t\tif len(s.claims) == 0 || s.claims[0].slot >= slot {\n\t\t\ts.floor = slot\n\t\t\treturn BelowFloor\n\t\t}\n\t\ts.SetFloor(s.claims[0].slot)\n\t\ts.forgetLowest()\n\t\tat--\n", "\t\ts.claims, at = s.claims[:0], 0\n"},
		},
	},
	{
		Name: "clock step back reopens slots", Rule: "I1 whatever clocks do",
		Edits: []Edit{
			{book, "\tstop    bool\n", "\tstop    bool\n\thighest int64\n"},
			{judge, "import (\n", "import (\n\t\"bprelay/dedup\"\n"},
			{judge, "func (c *Core) judge(e *block) (action, Reason) {\n", "func (c *Core) judge(e *block) (action, Reason) {\n\tif c.now.Wall < c.highest {\n\t\tc.claims = dedup.NewSlots(c.cfg.ClaimEntries)\n\t\tc.claimer = memoryClaims{c.claims}\n\t}\n\tc.highest = c.now.Wall\n"},
		},
	},
	{
		Name: "foreign own-name block claims without signature", Rule: "a block from the network never mutes us unless its signature verifies",
		Edits: []Edit{{inbound, `if op := c.own[v.Producer]; op != nil && signed {`, `if op := c.own[v.Producer]; op != nil {`}},
	},
	{
		Name: "ring answers with withheld blocks", Rule: "I1: withheld blocks go nowhere",
		Edits: []Edit{
			{own, "\t\te.withheld = true\n\t\tc.setFrame(e, nil)\n", "\t\te.withheld = true\n"},
			{serve, "\treturn ok && id == b.id && (", "\treturn true || ok && id == b.id && ("},
			{"relay/core/catchup.go", `if !path[i].survived || (`, `if !path[i].survived && !path[i].own || (`},
			{serve, "\tc.startPush(s, base, p2pwire.ID{})\n", "\ttop := c.head\n\tfor i := range c.blocks.n {\n\t\tif x := c.blocks.at(i); x.frame != nil && x.num >= top.num {\n\t\t\ttop = x\n\t\t}\n\t}\n\tc.startPush(s, base, top.id)\n"},
		},
	},
	{
		Name: "same id counted as conflict", Rule: "a prevented double block is counted, and only that",
		Edits: []Edit{{own, `c.stats.OwnWithheld[ReasonSameID]++`, `c.stats.OwnWithheld[ReasonSameID], c.stats.Conflicts = 1+c.stats.OwnWithheld[ReasonSameID], c.stats.Conflicts+1`}},
	},
}
