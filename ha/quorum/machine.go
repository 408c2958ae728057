package quorum

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/hashicorp/raft"

	"bprelay/p2pwire"
)

// listener is told what is committed, in order, on raft's goroutine: it must not block.
type listener interface {
	// decided: the slot is the claim's; block is nil unless the entry brought its frame.
	decided(cl Claim, block []byte)
	// led: what the active wants the others to know about the lead.
	led(state []byte)
	// reigns: somebody is active from here on, everything before having been told.
	reigns(r Reign)
	// restored: the state came from a snapshot, in place of the entries it stands for.
	restored(recent []Claim, lead []byte, r Reign)
}

// machine applies the committed entries to the state (raft.FSM).
type machine struct {
	to    listener
	fault func(error) // an entry that cannot be read: the member must not go on

	mu    sync.Mutex
	state *state
}

func newMachine(to listener, fault func(error)) *machine {
	return &machine{to: to, fault: fault, state: newState()}
}

// Apply implements raft.FSM. Its answer to a claim is a Decision, to anything else nil or an error.
func (m *machine) Apply(l *raft.Log) any {
	e, err := decodeEntry(l.Data)
	if err != nil {
		err = fmt.Errorf("entry %d: %w", l.Index, err)
		m.fault(err)
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.kind {
	case kindClaim:
		d, first := m.state.claim(e.claim)
		if first {
			m.to.decided(e.claim, e.block)
		}
		return d
	case kindLead:
		if m.state.setLead(e.epoch, e.lead) {
			m.to.led(m.state.lead)
		}
	case kindReign:
		m.state.rule(e.member, l.Index, l.Term)
		m.to.reigns(m.state.reign)
	}
	return nil
}

// Snapshot implements raft.FSM.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return frozen(m.state.encode()), nil
}

// Restore implements raft.FSM.
func (m *machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	s, err := decodeState(b)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = s
	m.to.restored(slices.Clone(s.recent), s.lead, s.reign)
	return nil
}

func (m *machine) reign() Reign {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.reign
}

func (m *machine) decision(producer p2pwire.Name, slot p2pwire.Slot) Decision {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.decision(producer, slot)
}

// present is what restored would tell now.
func (m *machine) present() (recent []Claim, lead []byte, r Reign) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.state.recent), m.state.lead, m.state.reign
}

// frozen is an encoded state.
type frozen []byte

// Persist implements raft.FSMSnapshot.
func (f frozen) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(f); err != nil {
		_ = sink.Cancel() // the first error is the one to tell
		return fmt.Errorf("write snapshot: %w", err)
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (frozen) Release() {}
