package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"bprelay/test/sim"
	"bprelay/test/sim/mutants"
)

// mutantSeeds is within how many seeds a mutant must be caught.
const mutantSeeds = 300

// runMutants builds this command once per mutant, with the mutated sources laid over the real ones,
// and lets it play seeds until one breaks a rule.
func runMutants(o options, out io.Writer) error {
	root, err := mutants.ModuleRoot()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	caught, total := 0, 0
	for _, m := range mutants.All {
		if !strings.Contains(m.Name, o.only) {
			continue
		}
		total++
		start := time.Now()
		verdict, err := runMutant(o, root, dir, m)
		if err != nil {
			return fmt.Errorf("mutant %q: %w", m.Name, err)
		}
		if verdict == "" {
			verdict = "NOT CAUGHT"
		} else {
			caught++
		}
		fmt.Fprintf(out, "%-45s %s (%s)\n", m.Name, verdict, time.Since(start).Round(time.Second))
	}
	fmt.Fprintf(out, "caught %d/%d\n", caught, total)
	if caught < total {
		return errBroken
	}
	return nil
}

// runMutant gives the line of the seed that caught the mutant, "" if none did.
func runMutant(o options, root, dir string, m mutants.Mutant) (string, error) {
	binary, err := m.Build(root, dir, "./test/sim/simulate")
	if err != nil {
		return "", err
	}
	for first, end := o.first, o.first+mutantSeeds; first < end; {
		play := exec.Command(binary, "--stop", "--quiet", "--first", fmt.Sprint(first), "--seeds", fmt.Sprint(end-first), "--jobs", fmt.Sprint(o.jobs))
		text, err := play.Output()
		if err == nil {
			return "", nil
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		if len(line) == 0 {
			return "died: " + err.Error(), nil // a panic is found out, too
		}
		var seed uint64
		if _, err := fmt.Sscanf(string(line), "seed %d:", &seed); err != nil {
			return "", fmt.Errorf("read %q: %w", line, err)
		}
		if len(sim.Play(sim.Generate(seed), nil).Breaches) == 0 {
			return "caught by " + string(line), nil
		}
		first = seed + 1 // the relay as it is fails there, too
	}
	return "", nil
}
