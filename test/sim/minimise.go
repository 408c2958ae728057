package sim

import (
	"slices"
	"time"
)

// Breaks returns a function that tells whether a schedule breaks a rule.
func Breaks(rule string) func(Schedule) bool {
	return func(s Schedule) bool { return Play(s, nil).Broken(rule) }
}

// Minimise makes a schedule smaller as long as it fails: fewer faults, shorter and weaker ones, a
// smaller world. It calls fails at most runs times.
func Minimise(s Schedule, fails func(Schedule) bool, runs int) Schedule {
	m := minimiser{best: s, fails: fails, left: runs}
	for again := true; again && m.left > 0; {
		again = m.fewer()
		again = m.simpler() || again
		again = m.shorter() || again
	}
	return m.best
}

type minimiser struct {
	best  Schedule
	fails func(Schedule) bool
	left  int
}

// try keeps a schedule that still fails.
func (m *minimiser) try(s Schedule) bool {
	if m.left <= 0 || s.check() != nil {
		return false
	}
	m.left--
	if !m.fails(s) {
		return false
	}
	m.best = s
	return true
}

// fewer takes faults out, large groups first.
func (m *minimiser) fewer() (changed bool) {
	for size := len(m.best.Faults); size > 0; size /= 2 {
		for at := 0; at+size <= len(m.best.Faults); {
			s := m.best
			s.Faults = slices.Delete(slices.Clone(s.Faults), at, at+size)
			if m.try(s) {
				changed = true
			} else {
				at += size
			}
		}
	}
	return changed
}

// simpler makes the world plainer, one thing at a time.
func (m *minimiser) simpler() (changed bool) {
	for _, change := range []func(s *Schedule) bool{
		func(s *Schedule) bool { old := s.Trx; s.Trx = 0; return old != 0 },
		func(s *Schedule) bool { old := s.Distance; s.Distance = 0; return old != 0 },
		func(s *Schedule) bool { old := s.Buffer; s.Buffer = 0; return old != 0 },
		func(s *Schedule) bool { old := s.Full; s.Full = 0; return old != 0 },
		func(s *Schedule) bool { old := s.Keys; s.Keys = false; return old },
		func(s *Schedule) bool { old := s.Journal; s.Journal = 0; return old != 0 },
		func(s *Schedule) bool { s.Nodes--; return true },
		func(s *Schedule) bool { s.Peers--; return true },
		func(s *Schedule) bool { old := s.Layout; s.Layout = "na"; return len(old) > 2 },
		func(s *Schedule) bool { s.Length -= 4 * time.Second; return s.Length > settled },
	} {
		s := m.best
		if change(&s) && m.try(s) {
			changed = true
		}
	}
	return changed
}

// shorter halves what faults last and measure.
func (m *minimiser) shorter() (changed bool) {
	half := func(d time.Duration) time.Duration { return (d / 2).Round(10 * time.Millisecond) }
	for i := range m.best.Faults {
		for _, change := range []func(f *Fault) bool{
			func(f *Fault) bool { old := f.For; f.For = half(old); return old > 20*time.Millisecond && f.For != old },
			func(f *Fault) bool { old := f.By; f.By = half(old); return f.By != 0 && f.By != old },
			func(f *Fault) bool { f.N /= 2; return f.N > 0 },
		} {
			s := m.best
			s.Faults = slices.Clone(s.Faults)
			if change(&s.Faults[i]) && m.try(s) {
				changed = true
			}
		}
	}
	return changed
}
