// Command sim is one part of a simulated network, for containers: see docker/.
//
//	sim network --relays relay1=relay1:9876,relay2=relay2:9876   // the other producers, the observer, the judge
//	sim node --name node1                                       // one of our nodes; the one named voter votes
//	sim verify --rounds 1                                       // what the network saw, as JSON; exit code 0 if all is well
//	sim config                                                  // what a relay's configuration must say of the chain
//
// All parts that know the same seed are of the same chain.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"bprelay/p2pwire"
	"bprelay/test/rig"
	"bprelay/test/simnet"
)

// seed is the chain's by default; docker/bprelay.yaml has its keys.
const seed = 1

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 {
		fail(errors.New("say which part: network, node, verify, config"))
	}
	var err error
	switch part, args := os.Args[1], os.Args[2:]; part {
	case "network":
		err = network(ctx, args)
	case "node":
		err = node(ctx, args)
	case "verify":
		err = verify(ctx, args)
	case "config":
		chain := rig.FixedPlan(seed, time.Now().UnixNano(), 0)
		err = describe(chain.Chain())
	default:
		err = fmt.Errorf("no part %q: choose network, node, verify or config", part)
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "sim:", err)
	os.Exit(1)
}

// describe prints what a relay has to know.
func describe(c *simnet.Chain) error {
	_, err := fmt.Printf("chain_id: %s\nproducers:\n  - name: %s\n    keys: [%s]\n    finalizer_keys: [%s]\n", c.ID(), rig.Ours,
		c.ProducerKey(rig.Ours), p2pwire.FinalizerKeyText(c.FinalizerKey(rig.Ours).Pub))
	return err
}

// node runs one of our nodes, until ctx's end.
func node(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("node", flag.ExitOnError)
	name := flags.String("name", "", "node1, node2, node3 or voter")
	listen := flags.String("listen", "0.0.0.0:9876", "where relays connect")
	_ = flags.Parse(args) // it exits
	plan := rig.FixedPlan(seed, time.Now().UnixNano(), 0)
	const nodes = 4
	for _, cfg := range rig.OurNodes(plan.Chain(), seed, make([]string, nodes)) {
		if cfg.Name != *name {
			continue
		}
		cfg.Address = *listen
		n, err := rig.NewNode(cfg, nil)
		if err != nil {
			return err
		}
		n.Start()
		<-ctx.Done()
		n.Kill()
		return nil
	}
	return fmt.Errorf("no node %q", *name)
}
