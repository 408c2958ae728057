package main

import (
	"strings"
	"testing"
)

// check says which takeover it will be, or on what that depends.
func TestTakeoverText(t *testing.T) {
	const base = "producers: [bpalpha]\nnetwork: {peers: ['p.example:9876']}\n"
	two := func(fields string) string {
		return base + "nodes: [{name: a, dial: '10.0.0.1:9876'" + strings.ReplaceAll(fields, "#", "1") + "}, {name: b, dial: '10.0.0.2:9876'" + strings.ReplaceAll(fields, "#", "2") + "}]\n"
	}
	const recommended = "recommended: producers with the block signing key only"
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"auto", two(""), []string{"auto, decided at run time: leash if", "vote_timeout + 1.4s", "else race (give", recommended}},
		{"auto with APIs", two(", api: '10.0.0.#:8888'"), []string{"auto, decided at run time: leash if", "else api (all", recommended}},
		{"auto of one", base + "nodes: [{name: a, dial: '10.0.0.1:9876'}, {name: f, dial: '10.0.0.2:9876', role: finalizer}]\n", []string{"auto, without effect"}},
		{"leash", two("") + "takeover: leash\n", []string{"takeover: leash, ", "Savanna chain only", recommended}},
		{"api", two(", api: '10.0.0.#:8888'") + "takeover: api\n", []string{"takeover: api, ", "on any chain", recommended}},
		{"race", two("") + "takeover: race\n", []string{"takeover: race, all nodes produce", "all our nodes stop about 7s after the last vote", "bprelay probe p.example:9876"}},
	} {
		got := takeoverText(parse(t, c.text))
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in %q", c.name, want, got)
			}
		}
		if strings.Contains(got, recommended) && c.want[len(c.want)-1] != recommended {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	code, stdout, stderr := bprelay(t, "check", "-c", write(t, "c.yaml", two(", api: '10.0.0.#:8888'")+"takeover: api\n"))
	if code != exitOK || strings.Count(stdout, "\npause-on-startup = true\n") != 2 || !strings.Contains(stderr, "takeover: api, ") {
		t.Errorf("%d\n%s%s", code, stdout, stderr)
	}
}
