package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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
	root, err := moduleRoot()
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
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name := range m.Files() {
		path := filepath.Join(root, name)
		source, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		mutated, err := m.Apply(name, string(source))
		if err != nil {
			return "", err
		}
		copied := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(copied, []byte(mutated), 0o600); err != nil {
			return "", err
		}
		overlay.Replace[path] = copied
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	listed := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(listed, list, 0o600); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "mutant")
	build := exec.Command("go", "build", "-overlay", listed, "-o", binary, "./test/sim/simulate")
	build.Dir = root
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, text)
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

func moduleRoot() (string, error) {
	text, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	mod := strings.TrimSpace(string(text))
	if mod == "" || mod == os.DevNull {
		return "", fmt.Errorf("not inside the module")
	}
	return filepath.Dir(mod), nil
}
