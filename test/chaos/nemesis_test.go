//go:build linux

package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestDraw(t *testing.T) {
	for _, list := range [][]kind{kindsOf(pairMode, false), kindsOf(quorumMode, true), {killActive}} {
		seen := map[kind]int{}
		for seed := uint64(1); seed <= uint64(len(list)); seed++ {
			faults := draw(seed, list)
			if !reflect.DeepEqual(faults, draw(seed, list)) {
				t.Fatalf("seed %d: two draws differ", seed)
			}
			if len(faults) != faultsPerRun {
				t.Fatalf("seed %d: %d faults", seed, len(faults))
			}
			for _, f := range faults {
				seen[f.Kind]++
				w := traits[f.Kind]
				if f.At < earliest || f.At > latest || f.For < w.least || f.For > w.most {
					t.Errorf("seed %d: %v", seed, f)
				}
			}
		}
		for _, k := range list {
			if seen[k] == 0 {
				t.Errorf("%s never comes in %d seeds", k, len(list))
			}
		}
	}
	for _, k := range append(slices.Clone(kinds), witnessKinds...) {
		if _, ok := traits[k]; !ok {
			t.Errorf("nothing is known of %s", k)
		}
	}
}

// TestKillsMayLoseNothing holds what the project promises: a relay that is killed costs no slot.
func TestKillsMayLoseNothing(t *testing.T) {
	for _, k := range []kind{killActive, killStandby, restartActive, termActive, killWitness} {
		if traits[k].lost != 0 {
			t.Errorf("%s may lose %d slots", k, traits[k].lost)
		}
	}
}

func TestRules(t *testing.T) {
	w := firewall{dropped: []flow{{"10.77.0.11", "10.77.0.12"}}}
	const want = `add table bridge chaos
flush table bridge chaos
add chain bridge chaos prerouting { type filter hook prerouting priority 0; policy accept; }
add rule bridge chaos prerouting ip saddr 10.77.0.11 ip daddr 10.77.0.12 drop
add chain bridge chaos output { type filter hook output priority 0; policy accept; }
add rule bridge chaos output ip saddr 10.77.0.11 ip daddr 10.77.0.12 drop
`
	if got := w.rules(); got != want {
		t.Errorf("rules:\n%s\nwant:\n%s", got, want)
	}
}

func TestNames(t *testing.T) {
	// sweep takes them apart again.
	for _, member := range []int{-1, 2} {
		if parts := strings.Split(nsName(17, member), "-"); len(parts) != 4 || parts[0] != nsPrefix {
			t.Errorf("name %q", nsName(17, member))
		}
	}
}
