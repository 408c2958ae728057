package demo

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string // part of the error; empty: none
	}{
		{Options{Duration: time.Second}, ""},
		{Options{Duration: time.Second, Takeover: "race", Kill: KillRandom, Chain: "legacy", Nodes: 16, Seed: 7}, ""},
		{Options{Duration: time.Second, Takeover: "auto", Chain: "legacy", Nodes: 1}, ""},
		{Options{Duration: time.Second, Takeover: "relay"}, `takeover "relay": possible are race, leash, api, auto`},
		{Options{Duration: time.Second, Takeover: "leash", Chain: "legacy"}, "no votes to withhold"},
		{Options{Duration: time.Second, Takeover: "leash", Nodes: 1}, "with one node"},
		{Options{Duration: time.Second, Takeover: "api", Nodes: 1}, "with one node"},
		{Options{Duration: time.Second, Takeover: "api", Chain: "legacy"}, ""},
		{Options{Duration: time.Second, Kill: "all"}, "none, leader, random"},
		{Options{Duration: time.Second, Chain: "dpos"}, "savanna, legacy"},
		{Options{Duration: time.Second, Nodes: 17}, "1 to 16"},
		{Options{Duration: time.Second, Relays: 2, Kill: KillRelay, RelayCommand: []string{"relay"}}, ""},
		{Options{Duration: time.Second, Relays: 2, Kill: KillBoth, Takeover: "race", RelayCommand: []string{"relay"}}, ""},
		{Options{Duration: time.Second, Relays: 2}, "no command that runs one"},
		{Options{Duration: time.Second, Mode: "quorum", RelayCommand: []string{"relay"}}, ""},
		{Options{Duration: time.Second, Relays: 3, Kill: KillRelay, RelayCommand: []string{"relay"}}, ""},
		{Options{Duration: time.Second, Relays: 4}, "possible are 1 to 3"},
		{Options{Duration: time.Second, Relays: 1, Mode: "quorum"}, "a quorum 2 and a witness, or 3"},
		{Options{Duration: time.Second, Relays: 3, Mode: "pair"}, "a pair has 2"},
		{Options{Duration: time.Second, Preset: "moon"}, "possible are local, lan, wan"},
		{Options{Duration: time.Second, Mode: "trio"}, "possible are pair, quorum"},
		{Options{Duration: time.Second, Kill: KillRelay}, "with one relay there is none to take over"},
		{Options{Duration: time.Second, Relays: 1, Kill: KillBoth}, "with one relay there is none to take over"},
		{Options{Duration: time.Second, Nodes: -1}, "1 to 16"},
		{Options{}, "duration 0s"},
		{Options{Duration: 25 * time.Hour}, "at most 24h"},
	} {
		got, err := c.o.withDefaults()
		if c.want == "" {
			if err != nil || got.Nodes == 0 || got.Relays == 0 || got.Seed == 0 || got.Takeover == "" || got.Chain == "" || got.Kill == "" || got.View == nil {
				t.Errorf("%+v: %+v, %v", c.o, got, err)
			}
			continue
		}
		if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.o, err, c.want)
		}
	}
}

// Without a word about it, our nodes are on a leash where they can be.
func TestDefaultTakeover(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "leash"},
		{Options{Nodes: 2}, "leash"},
		{Options{Nodes: 1}, "race"},
		{Options{Chain: "legacy"}, "race"},
		{Options{Takeover: "race"}, "race"},
		{Options{Takeover: "auto"}, "auto"},
		{Options{Takeover: "api"}, "api"},
	} {
		c.o.Duration = time.Second
		got, err := c.o.withDefaults()
		if err != nil || got.Takeover != c.want {
			t.Errorf("%+v: takeover %q, %v, want %q", c.o, got.Takeover, err, c.want)
		}
		if others, want := len(got.course().others), map[bool]int{true: 3, false: 2}[c.want == "race"]; others != want {
			t.Errorf("%+v: %d other producers, want %d", c.o, others, want)
		}
	}
}
