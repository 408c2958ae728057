package sim
import ("testing";"bprelay/test/simnet";"encoding/json")
func TestDbg(t *testing.T) {
	o := Run(Scenario{Seed: *seed, Mode: simnet.Savanna, Nodes: 2 + int(*seed%2), Rounds: 4, Trx: 200e6, Faults: true})
	st := o.Relay.Core().Snapshot(o.Relay.now)
	st.Stats.In[0].Bytes[0]=0
	b,_ := json.MarshalIndent(st.Sessions,""," ")
	t.Logf("%s", b)
	st.Sessions=nil
	b,_ = json.Marshal(st)
	t.Logf("%s", b)
	for _, n := range append(o.Ours, o.Network...) { t.Logf("%s head %v root %v fork %v", n.Name(), n.Head(), n.Root(), n.ForkHead()) }
}
