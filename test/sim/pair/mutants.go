package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"bprelay/test/sim"
	"bprelay/test/sim/mutants"
)

// mutantSeeds is within how many drawn worlds a mutant is looked for, when neither the worlds in which something was
// wrong once nor its tests find it out.
const mutantSeeds = 60

// runMutants builds this command once per mutant and lets it play, and runs the tests that the mutant names. It tells
// whether all were found out.
func runMutants(only string, first uint64, out io.Writer) (ok bool, err error) {
	if t := worlds(first).Run(nil); t.Failed > 0 {
		return false, fmt.Errorf("the relay as it is fails: %s", t.Wrong[0])
	}
	root, err := mutants.ModuleRoot()
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	caught, total := 0, 0
	for _, m := range mutants.Pairs {
		if !slices.ContainsFunc(strings.Split(only, ","), func(part string) bool { return strings.Contains(m.Name, part) }) {
			continue
		}
		total++
		start := time.Now()
		by, err := findOut(m, root, dir, first)
		switch {
		case err != nil:
			return false, fmt.Errorf("mutant %q: %w", m.Name, err)
		case by == "":
			by = "NOT CAUGHT"
		default:
			caught++
		}
		fmt.Fprintf(out, "%-50s %s (%s)\n", m.Name, by, time.Since(start).Round(time.Second))
	}
	fmt.Fprintf(out, "caught %d/%d\n", caught, total)
	return caught == total, nil
}

// worlds are those that mutants are played in: what --found, --first and --seeds make of them.
func worlds(first uint64) (s sim.PairSweep) {
	for _, x := range sim.PairFound() {
		s.Worlds = append(s.Worlds, x.Scenario)
	}
	for seed := first; seed < first+mutantSeeds; seed++ {
		s.Worlds = append(s.Worlds, sim.GeneratePair(seed))
	}
	return s
}

// findOut says what finds a mutant out, "" if nothing does.
func findOut(m mutants.Mutant, root, dir string, first uint64) (string, error) {
	binary, err := m.Build(root, dir, "./test/sim/pair")
	if err != nil {
		return "", err
	}
	if by := plays(binary, "--found"); by != "" {
		return by, nil
	}
	if m.Test != "" {
		list, err := m.Overlay(root, dir)
		if err != nil {
			return "", err
		}
		test := exec.Command("go", append([]string{"test", "-count=1", "-overlay", list}, strings.Fields(m.Test)...)...)
		test.Dir = root
		switch text, err := test.CombinedOutput(); {
		case bytes.Contains(text, []byte("[build failed]")):
			return "", fmt.Errorf("go test %s: %s", m.Test, text)
		case err != nil:
			return "caught by go test " + m.Test, nil
		}
	}
	return plays(binary, "--first", fmt.Sprint(first), "--seeds", fmt.Sprint(mutantSeeds)), nil
}

// plays says which world finds a mutant out, "" if none does.
func plays(binary string, worlds ...string) string {
	text, err := exec.Command(binary, append([]string{"--stop"}, worlds...)...).Output()
	if err == nil {
		return ""
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if len(line) > 160 {
		line = append(line[:160:160], "..."...)
	}
	return "caught by " + string(line) // a panic finds it out, too: then the line is empty
}
