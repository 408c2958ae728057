package mutants

// lineages break I2 and I3: which branch of ours goes out, and that it does.
var lineages = []Mutant{
	{
		Name: "no lineage check", Rule: "I2",
		Edits: []Edit{{judge, `if c.inRun(e) {`, `if false && c.inRun(e) {`}},
	},
	{
		Name: "any public parent accepted inside a run", Rule: "I2",
		Edits: []Edit{{judge, `case p == c.lineage.tip || c.onLineage(p):`, `case p != nil && p.public:`}},
	},
	{
		Name: "early blocks refused", Rule: "I3: blocks leave up to 450 ms early",
		Edits: []Edit{{judge, `p2pwire.SlotAt(c.latest()+int64(c.cfg.MaxFuture))`, `p2pwire.SlotAt(c.latest())`}},
	},
	{
		Name: "exhausted blocks refused", Rule: "I3: exhausted blocks leave up to 6 s early",
		Edits: []Edit{{judge, `p2pwire.SlotAt(c.latest()+int64(c.cfg.MaxFuture))`, `p2pwire.SlotAt(c.latest()+int64(p2pwire.SlotDuration))`}},
	},
	{
		Name: "public head moved by unverified blocks", Rule: "I6: unverified blocks never steer the arbitration",
		Edits: []Edit{{inbound, "\tif b.signed {\n", "\tif true {\n"}},
	},
	{
		Name: "own claimed blocks not re-sent after an uplink blip", Rule: "own claimed blocks are re-sent to a peer that lacks them, always",
		Edits: []Edit{{"relay/core/heads.go", "\tc.resend(s, head)\n", ""}},
	},
	{
		Name: "lineage kept after a newer QC outside it", Rule: "the lineage dies when the network finalizes another branch",
		Edits: []Edit{{own, `if t == nil || c.lineage.dead ||`, `if t == nil || b.savanna || c.lineage.dead ||`}},
	},
}
