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
		{Options{Duration: time.Second, Takeover: "leash"}, `takeover "leash": only race`},
		{Options{Duration: time.Second, Kill: "all"}, "none, leader, random"},
		{Options{Duration: time.Second, Chain: "dpos"}, "savanna, legacy"},
		{Options{Duration: time.Second, Nodes: 17}, "1 to 16"},
		{Options{Duration: time.Second, Nodes: -1}, "1 to 16"},
		{Options{}, "duration 0s"},
		{Options{Duration: 25 * time.Hour}, "at most 24h"},
	} {
		got, err := c.o.withDefaults()
		if c.want == "" {
			if err != nil || got.Nodes == 0 || got.Seed == 0 || got.Takeover != "race" || got.Chain == "" || got.Kill == "" || got.View == nil {
				t.Errorf("%+v: %+v, %v", c.o, got, err)
			}
			continue
		}
		if !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.o, err, c.want)
		}
	}
}
