package main

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write COMMANDS.md")

func TestDocs(t *testing.T) {
	const name = "COMMANDS.md"
	want := commandsDoc()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s has drifted from the code: go generate ./cmd/bprelay", name)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), exitTable()) {
		t.Errorf("README.md lacks this table:\n%s", exitTable())
	}
}
