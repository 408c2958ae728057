package eosgo
import ("testing";"time";"net";"bufio";"bprelay/p2pwire";"bprelay/relay/core";"bprelay/relay/engine";eos "github.com/eoscanada/eos-go";"github.com/eoscanada/eos-go/p2p")
func TestZZ(t *testing.T){
	r := startRelay(t, engine.Config{Core: core.Config{ChainID: p2pwire.ID{1}, Producers: []core.Producer{{Name: name(t, own)}}}})
	l,_ := net.Listen("tcp","127.0.0.1:0")
	ch := r.chainID
	p := p2p.NewOutgoingPeer(l.Addr().String(),"x",&p2p.HandshakeInfo{ChainID: ch[:]})
	c := p2p.NewClient(p,false)
	go func(){ t.Log(c.Start()) }()
	conn,_ := l.Accept()
	pk,err := eos.ReadPacket(bufio.NewReader(conn))
	t.Log(pk,err)
	h,err := p2pwire.DecodeHandshake(p2pwire.Frame(pk.Raw).Body())
	t.Logf("%+v %v %v",h,err,h.Validate())
	conn.Close()
	p2 := p2p.NewOutgoingPeer(r.address,"x",&p2p.HandshakeInfo{ChainID: ch[:]})
	c2 := p2p.NewClient(p2,false)
	t.Log(c2.Start())
	time.Sleep(time.Second)
	t.Logf("%+v", r.status(t).Stats.Closed)
	t.Logf("%+v", r.events)
}
