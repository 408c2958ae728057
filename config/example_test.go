package config

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated example file")

const exampleFile = "bprelay.example.yaml"

func TestExample(t *testing.T) {
	want := Example()
	if *update {
		if err := os.WriteFile(exampleFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the option tables say; run: go generate ./config", exampleFile)
	}
	for i, line := range strings.Split(string(want), "\n") {
		if len(line) > 110 && !strings.Contains(line, "PUB_BLS_") || strings.TrimRight(line, " ") != line {
			t.Errorf("line %d is too long or ends in a space: %q", i+1, line)
		}
	}
}

// TestExampleShowsTheDefaults sets every option in the example to the default it shows: that must
// change nothing.
func TestExampleShowsTheDefaults(t *testing.T) {
	text := string(Example())
	asIs := mustParse(t, text)
	switchedOn := 0
	for _, o := range options() {
		if o.def == "" {
			continue
		}
		line := "#" + o.path[strings.LastIndex(o.path, ".")+1:] + ": " + o.def + "\n"
		if !strings.Contains(text, line[1:]) { // two options may have one name and default
			t.Errorf("%s: the example lacks %q", o.path, line)
		}
		text = strings.ReplaceAll(text, line, line[1:])
		switchedOn++
	}
	if got := mustParse(t, text); !reflect.DeepEqual(got, asIs) {
		t.Errorf("got  %+v\nwant %+v", got, asIs)
	}
	if switchedOn < 20 {
		t.Errorf("only %d defaults", switchedOn)
	}
}

// TestExampleValuesAreValid sets all options of the example.
func TestExampleValuesAreValid(t *testing.T) {
	all := regexp.MustCompile(`(?m)^( *)#([a-z0-9_]+: )`).ReplaceAllString(string(Example()), "$1$2")
	c, warnings, err := Parse("relay.yaml", []byte(all), nil)
	if err != nil {
		t.Fatal(err)
	}
	// No node of the example has from, and one relay is no cluster.
	if len(warnings) != 2 || warnings[0].Path != "cluster.members" || warnings[1].Path != "listen.internal" {
		t.Errorf("warnings: %v", warnings)
	}
	if c.ChainID.IsZero() || c.P2P.PeerPrivateKeyFile == "" || c.Listen.Internal == "" || len(c.P2P.AllowedPeerKeys) != 1 ||
		len(c.Producers[0].FinalizerKeys) != 1 || c.Cluster.EchoWait == 0 {
		t.Errorf("not everything is set: %+v", c)
	}
}
