package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Result is the answer to a claim or mark.
type Result uint8

// The answers. The zero Result is none of them.
const (
	// Recorded: it is on disk.
	Recorded Result = iota + 1
	// Remembered: the disk does not take it, and in relaxed mode it is kept in memory alone.
	Remembered
	// Taken: the slot belongs to another block.
	Taken
	// Failed: it could not be recorded.
	Failed
)

// Options say what a journal is for.
type Options struct {
	// Dir is the directory, made with mode 0700 if it is missing.
	Dir string
	Identity
	// Strict refuses claims and marks while the disk does not take them; otherwise they go on in
	// memory, and the next start will not find a complete journal.
	Strict bool
	// Logger takes what an operator should know; nil takes slog.Default.
	Logger *slog.Logger

	growth int64 // see there; for tests
}

const (
	// healEvery is how often a journal that failed tries to write itself anew.
	healEvery = time.Second
	// patience is how long a claim waits for the disk in relaxed mode.
	patience = 250 * time.Millisecond
	// maxWaiting bounds the claims and marks that wait for the disk.
	maxWaiting = 4096
	// growth (bytes) is how much a file may grow in a quiet time, and fourfold at any time, until it is
	// written anew.
	growth = 1 << 20
	// quiet is how long there was no claim in a quiet time.
	quiet = 3 * time.Second
)

// Journal is an open journal. Its methods may be called from any goroutine.
type Journal struct {
	dir    string
	strict bool
	log    *slog.Logger
	lock   *os.File

	requests chan request
	orders   chan order
	outcomes chan outcome
	closing  chan struct{}
	closed   chan struct{}
	once     sync.Once
	err      error // of Close

	mu     sync.Mutex
	status Status

	// The rest belongs to the goroutine that runs run.
	ledger   *Ledger
	fresh    encoder   // numbering of the file being written
	waiting  []request // not given to the disk yet
	later    []Claim   // news of what is on disk, which goes with the next write
	inflight []request
	busy     bool      // the disk has an order
	since    time.Time // when it got it
	overdue  bool      // it takes too long, and in relaxed mode nobody waits any more
	broken   bool      // the file must be written anew before it is appended to
	marked   bool      // the file is known to be incomplete, or gone
	healAt   time.Time
	loud     time.Time // when it was last said that nothing works
	size     int64     // of the file
	base     int64     // and when it was new
	growth   int64
	beat     time.Time
	claimed  time.Time
}

// request is a claim, a mark, or neither.
type request struct {
	claim *Claim
	mark  *Mark
	exact bool // mark: for Settle
	agree bool // claim: for Agree
	done  func(Result)
}

func (r *request) answer(v Result) {
	if r.done != nil {
		r.done(v)
		r.done = nil
	}
}

// Open takes a directory and returns its journal, with what is known of the time before. The error
// names the path: ErrLocked if another process has it, ErrOtherChain, or the system's.
func Open(o Options) (*Journal, *History, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, nil, fmt.Errorf("locate state directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make state directory: %w", err)
	}
	held, err := lock(dir)
	if err != nil {
		return nil, nil, err
	}
	j, h, err := open(o, dir, osDirectory{dir})
	if err != nil {
		_ = held.Close()
		return nil, nil, err
	}
	j.lock = held
	return j, h, nil
}

func open(o Options, dir string, d directory) (*Journal, *History, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.growth == 0 {
		o.growth = growth
	}
	data, err := d.read(claimsName)
	if err != nil {
		return nil, nil, fmt.Errorf("read journal: %w", err)
	}
	now := time.Now()
	ledger, h, err := Read(data, o.Identity, now.UnixNano())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w (configured: %x); give another state directory", filepath.Join(dir, claimsName), err, o.Chain)
	}
	j := &Journal{
		dir: dir, strict: o.Strict, log: o.Logger.With("journal", dir), ledger: ledger,
		requests: make(chan request, maxWaiting), orders: make(chan order, 1), outcomes: make(chan outcome, 1),
		closing: make(chan struct{}), closed: make(chan struct{}), beat: now, growth: o.growth,
		broken: true, // until it is written anew
	}
	j.status = Status{Dir: dir, Strict: o.Strict, WasComplete: h.Complete, Fault: h.Fault}
	if h.Complete {
		j.log.Info("journal is complete: the start fence is lifted", "claims", len(h.Claims))
	} else {
		j.log.Warn("journal is not complete: the start fence holds", "why", h.Fault, "claims", len(h.Claims))
	}
	t := &tape{dir: d}
	// The first writing is waited for: nothing is let out before it is known how it stands.
	first := j.rewrite()
	j.busy = true
	j.finish(t.carryOut(first))
	go j.write(t)
	go j.run()
	return j, h, nil
}

// Claim asks for a slot. done is called once, from another goroutine or from this one: it must not
// block.
func (j *Journal) Claim(c Claim, done func(Result)) { j.ask(request{claim: &c, done: done}) }

// Mark asks to raise a finalizer's mark. done: see Claim.
func (j *Journal) Mark(m Mark, done func(Result)) { j.ask(request{mark: &m, done: done}) }

// Agree tells that the other relays of a cluster agreed, after all, to a claim that was made alone. It is
// written with what comes next: until then the claim is what it was.
func (j *Journal) Agree(c Claim) {
	c.Agreed = true
	j.ask(request{claim: &c, agree: true})
}

// Settle tells, at a clean end, which mark is enough. Close writes it.
func (j *Journal) Settle(m Mark) { j.ask(request{mark: &m, exact: true}) }

func (j *Journal) ask(r request) {
	select {
	case <-j.closing:
		r.answer(Failed)
		return
	default:
	}
	select {
	case j.requests <- r:
	default:
		r.answer(Failed) // the goroutine never blocks: it must be starved
	}
}

// Close answers what waits, writes the journal anew and releases the directory. ctx bounds the
// waiting: a disk that hangs keeps its goroutine and the lock until it answers.
func (j *Journal) Close(ctx context.Context) error {
	j.once.Do(func() { close(j.closing) })
	select {
	case <-j.closed:
		return j.err
	case <-ctx.Done():
		return fmt.Errorf("close journal %s: %w", j.dir, ctx.Err())
	}
}

// write is the goroutine that waits for the disk.
func (j *Journal) write(t *tape) {
	defer close(j.outcomes)
	defer t.close()
	for o := range j.orders {
		j.outcomes <- t.carryOut(o)
	}
}

// run is the goroutine that decides.
func (j *Journal) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		j.dispatch(time.Now())
		timer.Reset(max(time.Until(j.nextTime()), 0))
		select {
		case r := <-j.requests:
			j.accept(r)
			for range len(j.requests) {
				j.accept(<-j.requests)
			}
		case o := <-j.outcomes:
			j.finish(o)
		case <-timer.C:
			j.checkOverdue(time.Now())
		case <-j.closing:
			j.end()
			return
		}
	}
}

// accept enters a request and answers what needs no disk.
func (j *Journal) accept(r request) {
	switch {
	case r.exact:
		j.ledger.Settle(*r.mark)
		return
	case r.agree:
		if j.ledger.Agree(*r.claim) {
			j.later = append(j.later, *r.claim)
		}
		return
	case r.mark != nil:
		j.ledger.Mark(*r.mark)
	case !j.ledger.Claim(*r.claim):
		r.answer(Taken)
		return
	default:
		j.claimed = time.Now()
	}
	if len(j.waiting) >= maxWaiting {
		j.broken = true // the list lacks it: only a new file will have everything
		j.giveUp(&r)
		return
	}
	if j.overdue || (j.broken && time.Now().Before(j.healAt)) {
		j.giveUp(&r)
		if j.broken {
			return // the new file will have it
		}
	}
	j.waiting = append(j.waiting, r)
}

// giveUp answers a request that the disk did not take.
func (j *Journal) giveUp(r *request) {
	if r.done == nil {
		return
	}
	v := Remembered
	if j.strict {
		v = Failed
	}
	j.count(func(s *Status) { s.Unrecorded++ })
	r.answer(v)
}

// dispatch gives the disk what there is to do.
func (j *Journal) dispatch(now time.Time) {
	if j.busy {
		return
	}
	grown := j.size - j.base
	var o order
	switch {
	case j.broken:
		if now.Before(j.healAt) {
			return
		}
		o = j.rewrite()
	case grown > 4*j.growth, grown > j.growth && now.Sub(j.claimed) > quiet:
		o = j.rewrite()
	case len(j.waiting) > 0 || now.Sub(j.beat) >= beatEvery:
		o = j.appendWaiting(now.UnixNano())
	default:
		return
	}
	j.busy, j.since, j.beat = true, now, now
	j.orders <- o
}

func (j *Journal) appendWaiting(wall int64) (o order) {
	j.fresh = j.ledger.enc
	for i := range j.later {
		o.data = j.fresh.append(o.data, j.later[i].record(wall))
	}
	j.later = j.later[:0] // one that is lost stays what it was
	for _, r := range j.waiting {
		if r.claim != nil {
			o.data = j.fresh.append(o.data, r.claim.record(wall))
		} else {
			o.data = j.fresh.append(o.data, record{kind: kindMark, slot: r.mark.Slot, id: r.mark.Key, wall: wall})
		}
	}
	if len(j.waiting) == 0 {
		o.data = j.fresh.append(o.data, record{kind: kindBeat, wall: wall})
	}
	j.inflight, j.waiting = j.waiting, nil
	return o
}

// rewrite has all that is remembered, what waits included.
func (j *Journal) rewrite() order {
	var nonce [32]byte
	_, _ = rand.Read(nonce[:16]) // never fails, by its documentation
	wall := time.Now().UnixNano()
	o := order{replace: true, gap: j.broken && !j.strict && !j.marked}
	o.data, j.fresh = j.ledger.snapshot(nonce, wall)
	j.later = j.later[:0]
	j.inflight, j.waiting = j.waiting, nil
	return o
}

// finish takes what became of an order.
func (j *Journal) finish(o outcome) {
	j.busy = false
	j.size = o.size
	done := j.inflight
	j.inflight = nil
	j.count(func(s *Status) { s.observe(&o) })
	switch {
	case o.err == nil:
		j.ledger.enc = j.fresh
		if o.replace {
			j.base = o.size
			if j.broken && !j.healAt.IsZero() {
				j.log.Info("journal works again, and is complete")
				j.loud = time.Time{}
			}
			j.broken, j.marked = false, false
		}
		if j.overdue {
			j.overdue = false
			j.log.Info("the disk answers again", "after", o.took)
		}
	case o.replace && !j.broken && errors.Is(o.err, errNotReplaced):
		// Only the shortening failed: the file is as good as before.
		j.log.Warn("journal was not shortened, and goes on growing", "error", o.err)
		j.base = o.size - j.growth // not at once again
		j.waiting = append(done, j.waiting...)
		return
	default:
		j.fail(&o, done)
		return
	}
	for i := range done {
		done[i].answer(Recorded)
	}
	j.publish()
}

// fail handles what the disk did not take: the file is written anew, at once and then every healEvery.
func (j *Journal) fail(o *outcome, done []request) {
	now := time.Now()
	if !j.broken {
		// The new file may be taken where the old one was not; nobody is answered before.
		j.broken, j.healAt = true, now
		j.log.Error("journal failed, it is written anew", "error", o.err)
		j.waiting = append(done, j.waiting...)
		j.publish()
		return
	}
	if o.gap {
		j.marked = o.gapErr == nil
	}
	if now.Sub(j.loud) >= time.Minute {
		j.loud = now
		j.complain(o)
	}
	for i := range done {
		j.giveUp(&done[i])
	}
	j.healAt = now.Add(healEvery)
	j.publish()
}

// complain says what a journal that does not work means.
func (j *Journal) complain(o *outcome) {
	switch {
	case j.strict:
		j.log.Error("journal does not work: no block of ours is let out until it does", "error", o.err)
	case j.marked:
		j.log.Error("journal does not work: claims go on in memory, and the next start has the start fence", "error", o.err)
	default:
		j.log.Error("journal does not work, and can not be marked as incomplete: remove its file before the next start",
			"error", o.err, "mark", o.gapErr)
	}
}

// checkOverdue stops waiting, in relaxed mode, for a disk that does not answer.
func (j *Journal) checkOverdue(now time.Time) {
	if j.strict || !j.busy || j.overdue || now.Sub(j.since) < patience || len(j.inflight)+len(j.waiting) == 0 {
		return
	}
	j.overdue = true
	j.log.Error("the disk does not answer: claims go on in memory", "waited", now.Sub(j.since))
	// They stay in the lists: when the disk answers they are written, if late.
	for i := range j.inflight {
		j.giveUp(&j.inflight[i])
	}
	for i := range j.waiting {
		j.giveUp(&j.waiting[i])
	}
	j.publish()
}

// nextTime is when there is something to do without a request or an outcome.
func (j *Journal) nextTime() time.Time {
	switch {
	case j.busy && !j.overdue && !j.strict && len(j.inflight)+len(j.waiting) > 0:
		return j.since.Add(patience)
	case j.busy:
		return time.Now().Add(time.Hour)
	case j.broken:
		return j.healAt
	}
	return j.beat.Add(beatEvery)
}

// end is the last thing run does: what waits is written, with exact marks.
func (j *Journal) end() {
	for range len(j.requests) {
		j.accept(<-j.requests)
	}
	if j.busy {
		j.finish(<-j.outcomes)
	}
	j.busy = true
	j.orders <- j.rewrite()
	out := <-j.outcomes
	j.finish(out)
	for i := range j.waiting {
		j.giveUp(&j.waiting[i])
	}
	close(j.orders)
	<-j.outcomes
	if out.err != nil {
		j.err = fmt.Errorf("write journal %s: %w", j.dir, out.err)
	}
	if j.lock != nil {
		_ = j.lock.Close()
	}
	close(j.closed)
}
