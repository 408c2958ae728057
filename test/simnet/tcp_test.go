package simnet

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"bprelay/p2pwire"
)

// TestTCP runs two producers over loopback and checks that a kill and a close
// leave nothing behind.
func TestTCP(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	now := time.Now().UnixNano()
	chain := NewChain(ChainConfig{Mode: Savanna, Seed: 3, Producers: []string{"bpa", "bpb"}, Genesis: p2pwire.SlotAt(now)})
	la, err := ListenTCP(TCPConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	lb, err := ListenTCP(TCPConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	produced := make(chan Event, 1024)
	a := NewNode(Config{Name: "a", Chain: chain, Seed: 3, Address: la.Addr(), Producers: []string{"bpa", "bpb"}, Finalizers: []string{"bpa", "bpb"}, EnableStaleProduction: true})
	b := NewNode(Config{Name: "b", Chain: chain, Seed: 3, Address: lb.Addr(), Peers: []string{la.Addr()}, VoteThreads: 2,
		Trace: func(_ Instant, e Event) {
			if e.Kind == EventIrreversible {
				produced <- e
			}
		}})
	la.Start(a)
	lb.Start(b)
	for range 3 {
		select {
		case <-produced:
		case <-time.After(20 * time.Second):
			t.Fatal("no block became irreversible at b")
		}
	}
	la.Close()
	var head Ref
	if !lb.Do(func(Instant) { head = b.Head() }) || head.Num < 4 {
		t.Fatalf("b's head is %d", head.Num)
	}
	lb.Close()
	lb.Close()
	if lb.Do(func(Instant) {}) {
		t.Error("Do succeeded after Close")
	}
}
