package main

import (
	"os"
	"strings"
	"testing"

	"bprelay/p2pwire"
	"bprelay/test/rig"
)

// TestConfiguration: docker/bprelay.yaml is of the chain that the containers simulate.
func TestConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../../docker/bprelay.yaml")
	if err != nil {
		t.Fatal(err)
	}
	plan := rig.FixedPlan(seed, 0, 0)
	chain := plan.Chain()
	for what, want := range map[string]string{
		"chain_id": chain.ID().String(), "keys": chain.ProducerKey(rig.Ours).String(),
		"finalizer_keys": p2pwire.FinalizerKeyText(chain.FinalizerKey(rig.Ours).Pub), "vote_timeout": rig.VoteTimeout.String(),
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s: %s is not in the file: see sim config", what, want)
		}
	}
}
