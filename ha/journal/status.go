package journal

import (
	"time"
)

// SyncBounds are the upper bounds of the histogram of write times; one more bucket is open.
var SyncBounds = [...]time.Duration{
	500 * time.Microsecond, time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond,
	20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second,
}

// Status is how a journal stands.
type Status struct {
	Dir    string
	Strict bool
	// Complete: everything that was let out is on disk; a restart now would find a complete journal.
	Complete bool
	// WasComplete tells that of the start, and Fault why not.
	WasComplete bool
	Fault       string
	// Bytes is the file's size.
	Bytes int64
	// Errors counts writes that failed, Unrecorded the claims and marks that were not on disk when
	// they were answered.
	Errors, Unrecorded uint64
	// Syncs counts writes with their fsync by how long they took, see SyncBounds.
	Syncs   [len(SyncBounds) + 1]uint64
	SyncSum time.Duration
}

// Status may be called at any time.
func (j *Journal) Status() Status {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.status
}

func (j *Journal) count(f func(s *Status)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(&j.status)
}

// publish shows how it stands now.
func (j *Journal) publish() {
	complete := !j.broken && !j.overdue
	j.count(func(s *Status) { s.Complete, s.Bytes = complete, j.size })
}

func (s *Status) observe(o *outcome) {
	if o.err != nil {
		s.Errors++
	}
	i := 0
	for i < len(SyncBounds) && o.took > SyncBounds[i] {
		i++
	}
	s.Syncs[i]++
	s.SyncSum += o.took
}
