package engine

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// hub is a core without rules: whatever one session sends goes to all others. It is used without a
// lock, as the real one is: the race detector is a witness that one goroutine does all.
type hub struct {
	sessions map[core.SessionID]*hubSession
	order    []*hubSession
	last     core.SessionID
	closing  []core.CloseRequest
	free     [][]byte
	stop     bool
	now      core.Instant
	at       time.Duration // of the next timer
	every    time.Duration // period of the timer

	goroutine int // that made the first call
	strangers int // calls by any other
	calls     int
	ticks     int
	read      int // calls of Data
	readFirst int // of those, before the last tick
	opened    []core.SessionInfo
	failed    []string
	closed    int
	taken     int      // takes without Done
	refuse    error    // answer to Open
	boom      bool     // panic on data
	answers   []string // of a journal
	wanted    []core.ControlRequest
	told      bool     // the last answer's Pause
	done      []string // answers to those, and commands
	overdue   []core.SessionID
	onOpen    func(h *hub, s *hubSession)
	ending    func(h *hub, s *hubSession) // on Closed
}

type hubSession struct {
	id    core.SessionID
	info  core.SessionInfo
	queue [][]byte
	taken [][]byte
}

func newHub(now core.Instant) *hub {
	return &hub{sessions: make(map[core.SessionID]*hubSession), now: now, at: never, every: time.Hour}
}

// goroutineID reads the number Go gives the calling goroutine.
func goroutineID() int {
	buf := make([]byte, 64)
	f := bytes.Fields(buf[:runtime.Stack(buf, false)])
	n, _ := strconv.Atoi(string(f[1]))
	return n
}

// seen notes who calls, for the first calls: asking for the goroutine allocates.
func (h *hub) seen() {
	h.calls++
	if h.calls > 2000 {
		return
	}
	id := goroutineID()
	if h.goroutine == 0 {
		h.goroutine = id
	}
	if id != h.goroutine {
		h.strangers++
	}
}

func (h *hub) Open(now core.Instant, info core.SessionInfo) (core.SessionID, error) {
	h.seen()
	h.now = now
	if h.stop {
		return 0, core.ErrStopping
	}
	h.opened = append(h.opened, info)
	if h.refuse != nil {
		return 0, h.refuse
	}
	h.last++
	s := &hubSession{id: h.last, info: info}
	h.sessions[s.id] = s
	h.order = append(h.order, s)
	if h.onOpen != nil {
		h.onOpen(h, s)
	}
	return s.id, nil
}

func (h *hub) Data(now core.Instant, id core.SessionID, chunk []byte) {
	h.seen()
	h.now = now
	h.read++
	s := h.sessions[id]
	if s == nil || h.stop {
		return
	}
	if h.boom {
		panic("boom")
	}
	for _, t := range h.order {
		if t != s {
			h.send(t, chunk)
		}
	}
}

func (h *hub) send(t *hubSession, b []byte) {
	var c []byte
	if n := len(h.free); n > 0 {
		c = h.free[n-1][:0]
		h.free = h.free[:n-1]
	}
	t.queue = append(t.queue, append(c, b...))
}

func (h *hub) Closed(now core.Instant, id core.SessionID, err error) {
	h.seen()
	h.now = now
	s := h.sessions[id]
	if s == nil {
		panic(errors.New("closed twice"))
	}
	h.closed++
	if len(s.taken) > 0 {
		h.taken--
	}
	delete(h.sessions, id)
	for i, t := range h.order {
		if t == s {
			h.order = append(h.order[:i], h.order[i+1:]...)
			break
		}
	}
	if h.ending != nil {
		h.ending(h, s)
	}
}

func (h *hub) DialFailed(now core.Instant, side core.Side, name string, err error) {
	h.seen()
	h.now = now
	h.failed = append(h.failed, side.String()+" "+name)
}

func (h *hub) Tick(now core.Instant) {
	h.seen()
	h.now = now
	h.ticks++
	h.readFirst = h.read
	h.at = now.Mono + h.every
}

func (h *hub) NextTimer() time.Duration {
	if h.at == never {
		return h.now.Mono + h.every
	}
	return h.at
}

func (h *hub) Shutdown(now core.Instant) { h.seen(); h.stop = true }

func (h *hub) Writable(dst []core.SessionID) []core.SessionID {
	h.seen()
	for _, s := range h.order {
		if len(s.queue) > 0 {
			dst = append(dst, s.id)
		}
	}
	return dst
}

func (h *hub) Take(now core.Instant, id core.SessionID, max int, iov [][]byte) [][]byte {
	h.seen()
	s := h.sessions[id]
	if s == nil {
		return iov
	}
	if len(s.taken) > 0 {
		panic("taken twice")
	}
	total, n := 0, 0
	for _, b := range s.queue {
		if total > 0 && total+len(b) > max {
			break
		}
		total += len(b)
		n++
		iov = append(iov, b)
		s.taken = append(s.taken, b)
	}
	if n > 0 {
		h.taken++
	}
	k := copy(s.queue, s.queue[n:])
	clear(s.queue[k:])
	s.queue = s.queue[:k]
	return iov
}

func (h *hub) Done(id core.SessionID) {
	h.seen()
	s := h.sessions[id]
	if s == nil {
		return
	}
	for i, b := range s.taken {
		if len(h.free) < 1024 {
			h.free = append(h.free, b)
		}
		s.taken[i] = nil
	}
	if len(s.taken) > 0 {
		h.taken--
	}
	s.taken = s.taken[:0]
}

func (h *hub) CloseRequests(dst []core.CloseRequest) []core.CloseRequest {
	h.seen()
	dst = append(dst, h.closing...)
	h.closing = h.closing[:0]
	return dst
}

func (h *hub) Slots(core.Instant, core.SlotQuery) core.SlotReport { return core.SlotReport{} }

func (h *hub) Snapshot(now core.Instant) core.Status {
	h.seen()
	st := core.Status{UptimeNs: int64(now.Mono)}
	for _, s := range h.order {
		n := 0
		for _, b := range s.queue {
			n += len(b)
		}
		st.QueuedBytes += n
		st.Sessions = append(st.Sessions, core.SessionStatus{
			ID: s.id, Side: s.info.Side.String(), Name: s.info.Name, Remote: s.info.Remote,
			Dialled: s.info.Dialled, QueuedBytes: n,
		})
	}
	return st
}

func (h *hub) Jobs(dst []*core.Job) []*core.Job { return dst }

func (h *hub) JobDone(core.Instant, *core.Job) {}

func (h *hub) ClaimDecided(_ core.Instant, cl core.Claim, v core.Verdict) {
	h.seen()
	h.answers = append(h.answers, fmt.Sprint(cl.Slot, v))
}

func (h *hub) VotesMarked(_ core.Instant, m core.VoteMark, ok bool) {
	h.seen()
	h.answers = append(h.answers, fmt.Sprint(m.Slot, ok))
}

func (h *hub) ControlRequests(dst []core.ControlRequest) []core.ControlRequest {
	h.seen()
	dst = append(dst, h.wanted...)
	h.wanted = h.wanted[:0]
	return dst
}

func (h *hub) ControlDone(_ core.Instant, r core.ControlRequest, err error) {
	h.seen()
	h.told = r.Pause
	h.done = append(h.done, fmt.Sprint(r.Node, " ", callName(r), " ", err))
}

func (h *hub) command(name string, err error) error {
	h.seen()
	h.done = append(h.done, name)
	return err
}

func (h *hub) Drain(_ core.Instant, node string, force bool) error {
	return h.command(fmt.Sprint("drain ", node, " ", force), h.refuse)
}

func (h *hub) Undrain(_ core.Instant, node string) error { return h.command("undrain "+node, h.refuse) }

func (h *hub) SetLead(_ core.Instant, node string, force bool) error {
	return h.command(fmt.Sprint("lead ", node, " ", force), h.refuse)
}

// What a cluster may do with a core; the hub only notes it.

func (h *hub) ClusterLink(core.Instant, bool) { h.seen() }

func (h *hub) ClusterAlarm(core.Instant, core.Reason, core.Claim, string) { h.seen() }

func (h *hub) SetClusterRole(_ core.Instant, role core.ClusterRole, epoch uint64, _ core.Reason) {
	h.seen()
	h.answers = append(h.answers, fmt.Sprintf("%s %d", role, epoch))
}

func (h *hub) Adopt(_ core.Instant, cl core.Claim) (bool, error) {
	h.seen()
	h.answers = append(h.answers, fmt.Sprintf("adopt %d", cl.Slot))
	return false, nil
}

func (h *hub) AdoptBlock(core.Instant, core.Claim, []byte) error            { h.seen(); return nil }
func (h *hub) ApplyLead(core.Instant, []byte) error                         { h.seen(); return nil }
func (h *hub) Free(core.Instant, core.Claim)                                { h.seen() }
func (h *hub) Probe(core.Instant, uint64)                                   { h.seen() }
func (h *hub) Alone(core.Instant, core.Claim, time.Duration, time.Duration) { h.seen() }

func (h *hub) Overdue(dst []core.SessionID) []core.SessionID {
	dst = append(dst, h.overdue...)
	h.overdue = nil
	return dst
}

func (h *hub) BlockBytes(p2pwire.ID) []byte { h.seen(); return nil }
func (h *hub) Health(core.Instant, time.Duration) (_, _ int, _ bool, _ time.Duration) {
	h.seen()
	return 0, 0, false, 0
}
