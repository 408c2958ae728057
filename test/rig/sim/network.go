package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/checker"
	"bprelay/test/rig"
)

// verdict is what the network saw since the first round of ours that was there from its beginning.
type verdict struct {
	OK         bool                `json:"ok"`
	Broken     []string            `json:"broken"`
	Rounds     int                 `json:"rounds"` // of ours, complete ones
	Due        int                 `json:"slots_due"`
	Public     int                 `json:"slots_public"`
	Lost       int                 `json:"slots_lost"`
	Late       int                 `json:"slots_late"`
	Double     int                 `json:"slots_double"`
	Orphaned   int                 `json:"slots_orphaned"`
	OthersLost int                 `json:"others_lost"`
	First      map[string]int      `json:"blocks_first_from"` // by who gave it to the network side first
	LostSlots  []p2pwire.Slot      `json:"lost_slots,omitempty"`
	Violations []checker.Violation `json:"violations"`
}

// network runs the other producers, the observer, and a server for the judge, until ctx's end.
func network(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("network", flag.ExitOnError)
	relays := flags.String("relays", "", "the relays' listeners for network peers: NAME=HOST:PORT, separated by commas")
	answers := flags.String("http", "0.0.0.0:8080", "where the judge answers")
	_ = flags.Parse(args) // it exits
	plan := rig.FixedPlan(seed, time.Now().UnixNano(), 0)
	c := rig.NetworkConfig{
		Plan: plan, Chain: plan.Chain(), Listen: []string{"0.0.0.0:9876", "0.0.0.0:9877"}, Relays: map[string]string{},
	}
	var book addressBook
	c.RelayAt = book.name
	for _, r := range strings.Split(*relays, ",") {
		name, address, ok := strings.Cut(r, "=")
		if !ok {
			return fmt.Errorf("relays: %q is not NAME=HOST:PORT", r)
		}
		c.Relays[name] = address
	}
	go book.keep(ctx, c.Relays)
	n, err := rig.NewNetwork(c)
	if err != nil {
		return err
	}
	n.Start()
	defer n.Close()
	b := &bench{plan: plan, judge: n.Judge}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /verdict", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(b.verdict(time.Now().UnixNano())) // nobody is there any more
	})
	server := &http.Server{Addr: *answers, Handler: mux, ReadHeaderTimeout: time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	ticker := time.NewTicker(trxEvery)
	defer ticker.Stop()
	for nonce := uint64(1); ; nonce++ {
		select {
		case now := <-ticker.C:
			const life = 60 // seconds
			// A container that is started again does not repeat its transactions: they are told apart by their time, too.
			frame, _ := c.Chain.Transaction(nonce, uint32(now.Unix())+life)
			n.Producers[rand.IntN(len(n.Producers))].Push(frame)
		case err := <-failed:
			return err
		case <-ctx.Done():
			return server.Close()
		}
	}
}

// addressBook knows which relay has which IP address: containers have new ones now and then.
type addressBook struct {
	mu    sync.Mutex
	names map[string]string
}

// keep looks the relays up, again and again.
func (b *addressBook) keep(ctx context.Context, relays map[string]string) {
	for ctx.Err() == nil {
		names := map[string]string{}
		for name, address := range relays {
			host, _, _ := net.SplitHostPort(address)            // a wrong one is nobody's
			ips, _ := net.DefaultResolver.LookupHost(ctx, host) // it may be down
			for _, ip := range ips {
				names[ip] = name
			}
		}
		b.mu.Lock()
		b.names = names
		b.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// name is who dials from an address. Our own producers are nobody; whoever is not in the book is a relay still.
func (b *addressBook) name(ip string) string {
	if strings.HasPrefix(ip, "127.") {
		return ""
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if name := b.names[ip]; name != "" {
		return name
	}
	return "relay at " + ip
}

const trxEvery = 150 * time.Millisecond

// bench is where the judge sits.
type bench struct {
	plan  rig.Plan
	judge *rig.Judge

	mu    sync.Mutex
	first p2pwire.Slot // from here on slots are due; 0: no block of ours was seen yet
}

// settled is how long after a round's end it is judged: what is late is not yet lost.
const settled = int64(1500 * time.Millisecond)

func (b *bench) verdict(now int64) *verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := &verdict{Broken: []string{}, First: map[string]int{}, Violations: []checker.Violation{}}
	arrivals := b.judge.Arrivals()
	if len(arrivals) == 0 {
		v.Broken = append(v.Broken, "the network has seen no block of ours")
		return v
	}
	if b.first == 0 {
		// Whoever starts in the middle of a round has its beginning lost.
		b.first = b.plan.First
		for b.first <= arrivals[0].Slot {
			b.first += b.plan.Cycle()
		}
	}
	last := b.first - 1
	for end := b.first + p2pwire.RoundSlots - 1; end.Time()+settled <= now; end += b.plan.Cycle() {
		last = end
		v.Rounds++
	}
	r := b.judge.Report(b.first, last)
	v.Due, v.Public, v.Lost, v.Double, v.Orphaned, v.OthersLost = r.SlotsDue, r.SlotsPublic, r.SlotsLostOutside, r.SlotsDouble, r.SlotsOrphaned, r.OthersLost
	v.Violations = r.Violations
	for _, s := range r.Slots {
		switch {
		case len(s.IDs) == 0:
			v.LostSlots = append(v.LostSlots, s.Slot)
		case s.First > 0:
			v.Late++
		}
	}
	seen := map[p2pwire.ID]bool{}
	for _, a := range arrivals {
		if !seen[a.ID] && a.Slot >= b.first {
			seen[a.ID] = true
			v.First[a.From]++
		}
	}
	if v.Double > 0 {
		v.Broken = append(v.Broken, fmt.Sprintf("%d slots with two blocks", v.Double))
	}
	if v.Lost > 0 {
		v.Broken = append(v.Broken, fmt.Sprintf("%d slots lost", v.Lost))
	}
	if len(v.Violations) > 0 {
		v.Broken = append(v.Broken, fmt.Sprintf("%d violations, the first: %v", len(v.Violations), v.Violations[0]))
	}
	v.OK = len(v.Broken) == 0
	return v
}

var errBroken = errors.New("a promise is broken")

// verify prints what the network saw, when there were so many rounds.
func verify(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("verify", flag.ExitOnError)
	at := flags.String("judge", "http://network:8080/verdict", "where the judge answers")
	rounds := flags.Int("rounds", 1, "wait for so many complete rounds of ours")
	wait := flags.Duration("wait", 2*time.Minute, "and so long at most")
	_ = flags.Parse(args) // it exits
	ctx, cancel := context.WithTimeout(ctx, *wait)
	defer cancel()
	for {
		v, err := ask(ctx, *at)
		if err == nil && v.Rounds >= *rounds {
			text, err := json.MarshalIndent(v, "", "  ")
			if err != nil {
				return err
			}
			fmt.Println(string(text))
			if !v.OK {
				return fmt.Errorf("%w: %s", errBroken, strings.Join(v.Broken, "; "))
			}
			return nil
		}
		if err == nil {
			err = fmt.Errorf("%d rounds of ours were complete", v.Rounds)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %v: %w", *wait, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func ask(ctx context.Context, at string) (*verdict, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	v := &verdict{}
	return v, json.NewDecoder(resp.Body).Decode(v)
}
