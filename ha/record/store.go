package record

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"bprelay/ha/creds"
)

const (
	// DefaultStaleAfter is how old a record may be to count as of now. Publish at least three times as often.
	DefaultStaleAfter = 30 * time.Second
	// DefaultDropAfter is when a record is forgotten.
	DefaultDropAfter = 7 * 24 * time.Hour
	// saveEvery bounds how often the file is written.
	saveEvery = 2 * time.Second
	// maxPast is how often a record of this member's past may come up, from the disk and from others,
	// until it is no past: then outdoing it would never end.
	maxPast = 3
	// complainEvery is how often the same complaint is logged.
	complainEvery = time.Minute
)

// Options say whose records to keep, and where.
type Options struct {
	Identity *creds.Identity
	// Members are the configured ones.
	Members []string
	// Path is the file of the view; empty: none.
	Path string
	// StaleAfter and DropAfter: 0 takes the defaults.
	StaleAfter, DropAfter time.Duration
	// Logger takes what an operator should know; nil takes slog.Default.
	Logger *slog.Logger
}

// kept is a record that was believed.
type kept struct {
	Record
	bytes []byte
	// seen is when it arrived here.
	seen time.Time
}

// Store has the newest record of each member. Its methods may be called from any goroutine, and wait for
// no disk.
type Store struct {
	o    Options
	log  *slog.Logger
	disk directory

	mu          sync.Mutex
	records     map[string]*kept
	incarnation uint64
	version     uint64
	broadcast   func(name string, b []byte)
	past        int    // how often a record of this member's past came up
	last        Status // published
	dirty       bool
	refused     map[string]uint64 // by reason
	loud        map[string]time.Time

	wake    chan struct{}
	closing chan struct{}
	once    sync.Once
	closed  chan struct{}
}

// Open reads the view that was kept, and begins to keep it. What is wrong with the file is logged, and no
// error.
func Open(o Options) (*Store, error) {
	if !slices.Contains(o.Members, o.Identity.Name()) {
		return nil, fmt.Errorf("%q is not among the members", o.Identity.Name())
	}
	if o.StaleAfter == 0 {
		o.StaleAfter = DefaultStaleAfter
	}
	if o.DropAfter == 0 {
		o.DropAfter = DefaultDropAfter
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s := &Store{
		o: o, log: o.Logger, records: map[string]*kept{}, refused: map[string]uint64{}, loud: map[string]time.Time{},
		wake: make(chan struct{}, 1), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	now := time.Now()
	s.incarnation = uint64(now.UnixMilli())
	if o.Path != "" {
		s.load(now)
	}
	go s.keep()
	return s, nil
}

// SetBroadcast says how to send the own record to the others; before, it waits to be asked for. send
// must not block, nor call the store.
func (s *Store) SetBroadcast(send func(name string, b []byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broadcast = send
}

// Publish makes and sends a new version of this member's record.
func (s *Store) Publish(st Status) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = st
	return s.publish()
}

func (s *Store) publish() error {
	now := time.Now()
	r := Record{Member: s.o.Identity.Name(), Incarnation: s.incarnation, Version: s.version + 1, Time: now.UnixMilli(), Status: s.last}
	b, err := seal(s.o.Identity, &r)
	if err != nil {
		return err
	}
	s.version++
	s.records[r.Member] = &kept{r, b, now}
	s.changed()
	if s.broadcast != nil {
		s.broadcast(r.Member, b)
	}
	return nil
}

// changed has the view written soon. The lock is held.
func (s *Store) changed() {
	s.dirty = true
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Receive takes one record's bytes, which are the store's from then on.
func (s *Store) Receive(b []byte) { s.refuse(s.take(b, time.Now())) }

// Merge takes what another member's Local returned.
func (s *Store) Merge(b []byte) {
	for range len(s.o.Members) { // more than that, somebody is making fun
		part, rest, ok := cutPart(b)
		if !ok {
			if len(b) > 0 {
				s.refuse(fmt.Errorf("%w: a list is cut off", ErrMalformed))
			}
			return
		}
		s.Receive(bytes.Clone(part))
		b = rest
	}
}

// Local returns all records there are, for Merge.
func (s *Store) Local() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.age(time.Now())
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(s.records)) {
		b = appendPart(b, s.records[name].bytes)
	}
	return b
}

// take believes a record and enters it if it is newer. seen is when it arrived.
func (s *Store) take(b []byte, seen time.Time) error {
	e, err := open(b)
	if err != nil {
		return err
	}
	if !slices.Contains(s.o.Members, e.Member) {
		return fmt.Errorf("%w: %q", ErrStranger, e.Member)
	}
	s.mu.Lock()
	have := s.records[e.Member]
	s.mu.Unlock()
	if have != nil {
		if bytes.Equal(have.bytes, b) || have.newer(&e.Record) {
			return nil // known, or older: not worth a signature's check
		}
	}
	now := time.Now()
	if now.Sub(e.made()) > s.o.DropAfter {
		return nil // it would be forgotten at once
	}
	if err := e.check(s.o.Identity, now); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	have = s.records[e.Member]
	switch {
	case e.Member == s.o.Identity.Name():
		return s.remember(&e.Record, b)
	case have != nil && have.newer(&e.Record):
		return nil
	case have != nil && !e.newer(&have.Record):
		if bytes.Equal(have.bytes, b) {
			return nil
		}
		return fmt.Errorf("%w: %s, incarnation %d, version %d", ErrConflict, e.Member, e.Incarnation, e.Version)
	}
	s.records[e.Member] = &kept{e.Record, b, seen}
	s.changed()
	return nil
}

// remember takes a record of this member that it does not know: of a life before, in which the clock
// was ahead. The next version takes its place.
func (s *Store) remember(r *Record, b []byte) error {
	if r.Incarnation < s.incarnation || r.Incarnation == s.incarnation && r.Version < s.version {
		return nil
	}
	if have := s.records[r.Member]; have != nil && bytes.Equal(have.bytes, b) {
		return nil
	}
	if s.past++; s.past > maxPast {
		return fmt.Errorf("%w: another process publishes as %s", ErrConflict, r.Member)
	}
	s.incarnation = r.Incarnation + 1
	if s.version == 0 {
		return nil // nothing was published yet
	}
	return s.publish()
}

// refuse counts and logs what was not believed.
func (s *Store) refuse(err error) {
	if err == nil {
		return
	}
	reason := "malformed"
	for word, kind := range reasons {
		if errors.Is(err, kind) {
			reason = word
		}
	}
	s.mu.Lock()
	s.refused[reason]++
	times := s.refused[reason]
	now := time.Now()
	tell := now.Sub(s.loud[reason]) >= complainEvery
	if tell {
		s.loud[reason] = now
	}
	s.mu.Unlock()
	if tell {
		s.log.Warn("cluster record refused", "reason", reason, "error", err, "times", times)
	}
}

var reasons = map[string]error{
	"forged": ErrForged, "stranger": ErrStranger, "schema": ErrSchema, "future": ErrFuture, "conflict": ErrConflict,
}

// age forgets what is too old. The lock is held.
func (s *Store) age(now time.Time) {
	for name, k := range s.records {
		if name != s.o.Identity.Name() && k.age(now) > s.o.DropAfter {
			delete(s.records, name)
			s.changed()
		}
	}
}

// age is by the member's clock or ours, whichever says more: a record that was held back is old when it
// arrives, and one of a clock that is ahead grows old all the same.
func (k *kept) age(now time.Time) time.Duration {
	return max(now.Sub(k.made()), now.Sub(k.seen), 0)
}
