package journal

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"sync"
)

// memory is a directory that forgets on a crash what was not synced, fails when it is told to, and
// can be stopped before any of its operations.
type memory struct {
	mu      sync.Mutex
	files   map[string]*memFile // as programs see them
	durable map[string]*memFile // entries that survive a crash
	ops     int
	crashAt int           // before this operation everything stops; 0: never
	fail    func() error  // asked before every operation that writes
	stall   chan struct{} // syncs wait for it if it is not nil
}

type memFile struct {
	m       *memory
	data    []byte
	durable []byte
}

var errCrashed = errors.New("the machine is off")

func newMemory() *memory {
	return &memory{files: map[string]*memFile{}, durable: map[string]*memFile{}}
}

// step counts an operation; the caller has the lock.
func (m *memory) step() error {
	m.ops++
	if m.crashAt > 0 && m.ops >= m.crashAt {
		return errCrashed
	}
	if m.fail != nil {
		return m.fail()
	}
	return nil
}

// crash is the machine's power going off and on: keep says how many bytes of each unsynced tail got
// to the disk all the same, entries whether unsynced directory entries did.
func (m *memory) crash(keep int, entries bool) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := newMemory()
	from := m.durable
	if entries {
		from = m.files
	}
	for name, f := range from {
		data := f.durable
		if len(f.data) > len(data) && bytes.HasPrefix(f.data, data) {
			data = f.data[:min(len(data)+keep, len(f.data))]
		} else if keep > 0 {
			data = f.data
		}
		g := &memFile{m: after, data: slices.Clone(data), durable: slices.Clone(data)}
		after.files[name], after.durable[name] = g, g
	}
	return after
}

func (m *memory) read(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[name]
	if f == nil {
		return nil, nil
	}
	return append([]byte{}, f.data...), nil
}

func (m *memory) create(name string) (file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return nil, err
	}
	f := &memFile{m: m}
	m.files[name] = f
	return f, nil
}

func (m *memory) rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return err
	}
	m.files[to] = m.files[from]
	delete(m.files, from)
	return nil
}

func (m *memory) remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return err
	}
	delete(m.files, name)
	return nil
}

func (m *memory) sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return err
	}
	m.durable = maps.Clone(m.files)
	return nil
}

func (f *memFile) Write(b []byte) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.step(); err != nil {
		n := len(b) / 2 // a full disk takes a part
		f.data = append(f.data, b[:n]...)
		return n, err
	}
	f.data = append(f.data, b...)
	return len(b), nil
}

func (f *memFile) WriteAt(b []byte, at int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.step(); err != nil {
		return 0, err
	}
	return copy(f.data[at:], b), nil
}

func (f *memFile) Sync() error {
	f.m.mu.Lock()
	stall := f.m.stall
	f.m.mu.Unlock()
	if stall != nil {
		<-stall
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.m.step(); err != nil {
		return err
	}
	f.durable = slices.Clone(f.data)
	return nil
}

func (f *memFile) Close() error { return nil }
