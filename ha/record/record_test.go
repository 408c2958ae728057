package record

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bprelay/ha/creds"
)

var names = []string{"a", "b", "w"}

// cluster makes the credentials of the members; they all know those in names only.
func cluster(t testing.TB, more ...string) map[string]*creds.Identity {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cluster")
	all := append(slices.Clone(names), more...)
	if _, err := creds.Create(creds.Plan{Dir: dir, Members: all}); err != nil {
		t.Fatal(err)
	}
	list := map[string]*creds.Identity{}
	for _, n := range all {
		members := names
		if !slices.Contains(names, n) {
			members = all
		}
		i, err := creds.Load(creds.Options{
			Name: n, Members: members, CA: filepath.Join(dir, creds.CAFile),
			Cert: filepath.Join(dir, creds.CertFile(n)), Key: filepath.Join(dir, creds.KeyFile(n)),
		})
		if err != nil {
			t.Fatal(err)
		}
		list[n] = i
	}
	return list
}

var quiet = slog.New(slog.DiscardHandler)

func open1(t testing.TB, me *creds.Identity, path string) *Store {
	t.Helper()
	s, err := Open(Options{Identity: me, Members: names, Path: path, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// entry is what a store knows of a member.
func entry(s *Store, name string) Entry {
	for _, e := range s.View().Members {
		if e.Member == name {
			return e
		}
	}
	return Entry{}
}

// role is the role a store knows of a member, or why it knows none.
func role(s *Store, name string) string {
	e := entry(s, name)
	if e.Record == nil {
		return e.State
	}
	return e.Record.Status.Role
}

func sealed(t testing.TB, me *creds.Identity, r Record) []byte {
	t.Helper()
	b, err := seal(me, &r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func publish(t testing.TB, s *Store, role string) []byte {
	t.Helper()
	if err := s.Publish(Status{Role: role}); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[s.o.Identity.Name()].bytes
}

func TestRecordsTravel(t *testing.T) {
	ids := cluster(t)
	a, b, w := open1(t, ids["a"], ""), open1(t, ids["b"], ""), open1(t, ids["w"], "")
	first := publish(t, a, "starting")
	second := publish(t, a, "active")
	publish(t, b, "standby")
	b.Receive(second)
	b.Receive(first) // late
	if got := role(b, "a"); got != "active" {
		t.Errorf("b of a: %s", got)
	}
	w.Merge(b.Local()) // by hearsay
	if role(w, "a") != "active" || role(w, "b") != "standby" || role(w, "w") != Missing {
		t.Errorf("w: %+v", w.View())
	}
	if v := w.View(); len(v.Refused) != 0 || v.From != "w" || !v.Members[2].Self {
		t.Errorf("%+v", v)
	}
}

// TestAdversary: what is not a member's own newest word changes nothing.
func TestAdversary(t *testing.T) {
	now := uint64(time.Now().UnixMilli())
	ids, others := cluster(t, "x"), cluster(t)
	good := Record{Member: "a", Incarnation: now, Version: 5, Time: int64(now), Status: Status{Role: "active"}}
	with := func(change func(*Record)) Record {
		r := good
		r.Version = 6
		r.Status.Role = "evil"
		change(&r)
		return r
	}
	newer := sealed(t, ids["a"], with(func(*Record) {}))
	flipped := func(i int) []byte {
		b := bytes.Clone(newer)
		b[(len(b)+i)%len(b)] ^= 1
		return b
	}
	schema := bytes.Clone(newer)
	schema[0] = 2
	// The certificate of a, the signature of b.
	mixed := func() []byte {
		body, err := json.Marshal(with(func(*Record) {}))
		if err != nil {
			t.Fatal(err)
		}
		sig, err := ids["b"].Sign(purpose, body)
		if err != nil {
			t.Fatal(err)
		}
		return appendPart(appendPart(appendPart([]byte{wireSchema}, ids["a"].Certificate()), sig), body)
	}()
	wrongPurpose := func() []byte {
		body, _ := json.Marshal(with(func(*Record) {}))
		sig, err := ids["a"].Sign("link", body)
		if err != nil {
			t.Fatal(err)
		}
		return appendPart(appendPart(appendPart([]byte{wireSchema}, ids["a"].Certificate()), sig), body)
	}()
	for _, c := range []struct {
		name, reason string
		b            []byte
	}{
		{"signed by another member", "forged", sealed(t, ids["b"], with(func(*Record) {}))},
		{"another's signature under its certificate", "forged", mixed},
		{"signed for another purpose", "forged", wrongPurpose},
		{"by another cluster's a", "stranger", sealed(t, others["a"], with(func(*Record) {}))},
		{"of one that is not configured", "stranger", sealed(t, ids["x"], with(func(r *Record) { r.Member = "x" }))},
		{"signed by one that is not configured", "stranger", sealed(t, ids["x"], with(func(*Record) {}))},
		{"a flipped bit in the body", "malformed", flipped(-1)}, // the closing brace
		{"a flipped bit in the text", "forged", bytes.Replace(newer, []byte("evil"), []byte("evim"), 1)},
		{"a flipped bit in the signature", "forged", bytes.Replace(newer, newer[len(ids["a"].Certificate())+5:][:8], []byte("12345678"), 1)},
		{"another schema", "schema", schema},
		{"a far incarnation", "future", sealed(t, ids["a"], with(func(r *Record) { r.Incarnation = 1 << 63 }))},
		{"a far time", "future", sealed(t, ids["a"], with(func(r *Record) { r.Time += (25 * time.Hour).Milliseconds() }))},
		{"the same version once more", "conflict", sealed(t, ids["a"], with(func(r *Record) { r.Version = 5 }))},
		{"replayed: an older version", "", sealed(t, ids["a"], with(func(r *Record) { r.Version = 4 }))},
		{"replayed: an older incarnation", "", sealed(t, ids["a"], with(func(r *Record) { r.Incarnation--; r.Version = 99 }))},
		{"replayed: itself", "", sealed(t, ids["a"], good)},
		{"no version", "malformed", sealed(t, ids["a"], with(func(r *Record) { r.Version = 0 }))},
		{"no name", "malformed", sealed(t, ids["a"], with(func(r *Record) { r.Member = "" }))},
		{"cut off", "malformed", newer[:len(newer)-9]},
		{"something behind it", "malformed", append(bytes.Clone(newer), 0)},
		{"empty", "malformed", nil},
		{"too large", "malformed", append(bytes.Clone(newer), make([]byte, MaxSize)...)},
		{"rubbish", "malformed", []byte("\x01\xff\xff\xff")},
	} {
		s := open1(t, ids["w"], "")
		s.Receive(sealed(t, ids["a"], good))
		if got := role(s, "a"); got != "active" {
			t.Fatal(got)
		}
		s.Receive(bytes.Clone(c.b))
		if got := role(s, "a"); got != "active" {
			t.Errorf("%s: a is %s", c.name, got)
		}
		refused := s.View().Refused
		if c.reason == "" && len(refused) != 0 || c.reason != "" && refused[c.reason] != 1 {
			t.Errorf("%s: refused %v, want %q", c.name, refused, c.reason)
		}
		// The same within a list, between good ones.
		s.Merge(appendPart(appendPart(nil, c.b), newer))
		if got := role(s, "a"); got != "evil" && len(c.b) < 1<<16 { // it is the newer one's name here
			t.Errorf("%s: what came behind it was not taken: %s", c.name, got)
		}
	}
}

// Any order and any number of repetitions lead to the same view.
func TestOrderDoesNotMatter(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	ids := cluster(t)
	now := uint64(time.Now().UnixMilli())
	var all [][]byte
	for i := range 5 {
		for v := range 5 {
			all = append(all, sealed(t, ids["a"], Record{"a", now - 5 + uint64(i), uint64(1 + v), int64(now), Status{Role: fmt.Sprint(i, v)}}))
		}
	}
	for range 20 {
		s := open1(t, ids["b"], "")
		for range 100 {
			s.Receive(bytes.Clone(all[r.IntN(len(all)-1)]))
		}
		s.Receive(bytes.Clone(all[len(all)-1]))
		for range 50 {
			s.Receive(bytes.Clone(all[r.IntN(len(all))]))
		}
		if got := role(s, "a"); got != "4 4" || len(s.View().Refused) != 0 {
			t.Errorf("%s, %+v", got, s.View().Refused)
		}
	}
}

func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := cluster(t)
		a, b := open1(t, ids["a"], ""), open1(t, ids["b"], "")
		old := publish(t, a, "active")
		b.Receive(bytes.Clone(old))
		<-time.After(DefaultStaleAfter - time.Millisecond)
		if e := entry(b, "a"); e.State != Fresh || e.AgeMS != DefaultStaleAfter.Milliseconds()-1 {
			t.Errorf("%+v", e)
		}
		<-time.After(2 * time.Millisecond)
		if e := entry(b, "a"); e.State != Stale || e.Record.Status.Role != "active" {
			t.Errorf("%+v", e)
		}
		b.Receive(bytes.Clone(old)) // again: as old as before
		w := open1(t, ids["w"], "")
		w.Receive(bytes.Clone(old)) // and no younger to who hears of it now
		for _, s := range []*Store{b, w} {
			if e := entry(s, "a"); e.State != Stale {
				t.Errorf("replayed: %+v", e)
			}
		}
		<-time.After(DefaultDropAfter)
		if e := entry(b, "a"); e.State != Missing {
			t.Errorf("%+v", e)
		}
		b.Receive(old)
		if e := entry(b, "a"); e.State != Missing || len(b.View().Refused) != 0 {
			t.Errorf("a replay from the grave: %+v", e)
		}
		for _, s := range []*Store{a, b, w} {
			_ = s.Close(t.Context())
		}
	})
}

// Who restarts with a clock that was set back learns of its past, and outdoes it.
func TestClockSetBack(t *testing.T) {
	ids := cluster(t)
	b := open1(t, ids["b"], "")
	now := time.Now().UnixMilli()
	past := sealed(t, ids["a"], Record{"a", uint64(now + 3600_000), 7, now, Status{Role: "active"}})
	b.Receive(bytes.Clone(past))
	a := open1(t, ids["a"], "")
	publish(t, a, "standby")
	b.Merge(a.Local())
	if got := role(b, "a"); got != "active" {
		t.Errorf("%s: an older incarnation", got)
	}
	a.Merge(b.Local())
	b.Merge(a.Local())
	if role(b, "a") != "standby" || role(a, "a") != "standby" {
		t.Errorf("b of a: %s, a: %s", role(b, "a"), role(a, "a"))
	}
	// Another process with the same key does not end in a race for the higher number.
	for i := range 10 {
		other := sealed(t, ids["a"], Record{"a", uint64(now) + 7200_000 + uint64(i)*1000, 1, now, Status{Role: "twin"}})
		a.Receive(other)
	}
	if n := a.View().Refused["conflict"]; n < 5 {
		t.Errorf("refused %v", a.View().Refused)
	}
}

func TestTooLarge(t *testing.T) {
	ids := cluster(t)
	a := open1(t, ids["a"], "")
	publish(t, a, "active")
	for _, size := range []int{MaxSize - 100, MaxSize, 1 << 17} {
		if err := a.Publish(Status{Reason: strings.Repeat("x", size)}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d: %v", size, err)
		}
	}
	if e := entry(a, "a"); e.Record.Version != 1 || e.Record.Status.Role != "active" {
		t.Errorf("%+v", e)
	}
}

func TestFile(t *testing.T) {
	ids := cluster(t)
	path := filepath.Join(t.TempDir(), "state", "cluster.json")
	a, b := open1(t, ids["a"], ""), open1(t, ids["b"], path)
	b.Merge(func() []byte { publish(t, a, "active"); return a.Local() }())
	publish(t, b, "standby")
	before := entry(b, "b").Record.Incarnation
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	again := open1(t, ids["b"], path)
	if role(again, "a") != "active" || role(again, "b") != Missing {
		t.Errorf("%+v", again.View())
	}
	publish(t, again, "standby")
	if e := entry(again, "b"); e.Record.Incarnation <= before {
		t.Errorf("incarnation %d after %d", e.Record.Incarnation, before)
	}
	// A member that was taken off the list is not there any more.
	less, err := Open(Options{Identity: ids["b"], Members: []string{"b", "w"}, Path: path, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = less.Close(t.Context()) }()
	if role(less, "a") != "" || less.View().Refused["stranger"] != 1 {
		t.Errorf("%+v", less.View())
	}
}

// TestBadFiles: whatever the file is, the store opens, believes nothing false, and writes a good one.
func TestBadFiles(t *testing.T) {
	ids, others := cluster(t), cluster(t)
	now := time.Now().UnixMilli()
	good := sealed(t, ids["a"], Record{"a", uint64(now), 1, now, Status{Role: "active"}})
	forged := sealed(t, others["a"], Record{"a", uint64(now), 2, now, Status{Role: "evil"}})
	encode := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	whole := encode(file{fileSchema, []keptBytes{{now, good}}})
	var torn [][]byte
	for n := 0; n < len(whole); n += 37 {
		torn = append(torn, whole[:n])
	}
	for _, c := range []struct {
		name string
		data [][]byte
		want string
	}{
		{"whole", [][]byte{whole}, "active"},
		{"schema 1", [][]byte{encode(map[string]any{"schema": 1, "records": map[string][]byte{"a": good}})}, "active"},
		{"schema 3", [][]byte{encode(file{3, []keptBytes{{now, good}}})}, Missing},
		{"no schema", [][]byte{encode(map[string]any{"records": []keptBytes{{now, good}}})}, Missing},
		{"torn", torn, Missing},
		{"zeros", [][]byte{make([]byte, 1000)}, Missing},
		{"huge", [][]byte{bytes.Repeat([]byte(" "), maxFile+1)}, Missing},
		{"forged", [][]byte{encode(file{fileSchema, []keptBytes{{now, forged}}})}, Missing},
		{"forged beside a good one", [][]byte{encode(file{fileSchema, []keptBytes{{now, forged}, {now, good}, {now, nil}}})}, "active"},
		{"arrived in the future", [][]byte{encode(file{fileSchema, []keptBytes{{now + 1e10, good}}})}, "active"},
	} {
		for i, data := range c.data {
			path := filepath.Join(t.TempDir(), "cluster.json")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open1(t, ids["b"], path)
			if got := role(s, "a"); got != c.want {
				t.Errorf("%s (%d): %s, want %s", c.name, i, got, c.want)
			}
			publish(t, s, "standby")
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			written, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if f, err := decodeFile(written); err != nil || f.Schema != fileSchema || len(f.Records) == 0 {
				t.Errorf("%s (%d): written %q, %v", c.name, i, written, err)
			}
		}
	}
}

// A disk that does not take it stops nothing.
func TestDiskFails(t *testing.T) {
	ids := cluster(t)
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open1(t, ids["b"], filepath.Join(blocked, "cluster.json"))
	publish(t, s, "standby")
	if err := s.Close(t.Context()); err != nil || role(s, "b") != "standby" {
		t.Errorf("%v, %s", err, role(s, "b"))
	}
}

func TestViewJSON(t *testing.T) {
	ids := cluster(t)
	a := open1(t, ids["a"], "")
	if err := a.Publish(Status{
		Role: "active", Epoch: 3, Nodes: []Node{{"n1", "leads", 7}}, Links: map[string]bool{"b": true},
		Public: Block{7, "ab"}, Counters: map[string]uint64{"claims": 12}, Alarms: []string{"x"},
	}); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(a.View())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"from":"a","members":[{"member":"a","self":true,"state":"fresh",`,
		`"status":{"role":"active","epoch":3,"nodes":[{"name":"n1","state":"leads","head":7}],"peers":0,"public_head":{"number":7,"id":"ab"},`,
		`{"member":"b","state":"missing"}`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
}

func FuzzOpen(f *testing.F) {
	ids := cluster(f)
	now := time.Now().UnixMilli()
	good := sealed(f, ids["a"], Record{"a", uint64(now), 1, now, Status{Role: "active"}})
	f.Add(good)
	f.Add(appendPart(nil, good))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 2, '{', '}'})
	s := open1(f, ids["b"], "")
	f.Fuzz(func(t *testing.T, data []byte) {
		s.Receive(bytes.Clone(data))
		s.Merge(bytes.Clone(data))
		if e := entry(s, "a"); e.Record != nil && e.Record.Status.Role != "active" {
			t.Fatalf("believed %+v", e.Record)
		}
		if e, err := open(data); err == nil {
			again := appendPart(appendPart(appendPart([]byte{wireSchema}, e.cert), e.sig), e.body)
			if !bytes.Equal(again, data) {
				t.Fatalf("%x, again %x", data, again)
			}
		}
		if part, rest, ok := cutPart(data); ok && (len(part)+len(rest)+2 != len(data) || int(binary.BigEndian.Uint16(data)) != len(part)) {
			t.Fatal("a part that is none")
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	ids := cluster(b)
	s := open1(b, ids["b"], "")
	now := time.Now().UnixMilli()
	list := make([][]byte, 1000)
	for i := range list {
		list[i] = sealed(b, ids["a"], Record{"a", uint64(now), uint64(i + 1), now, Status{Role: "active"}})
	}
	b.ReportMetric(float64(len(list[0])), "bytes")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i == len(list) {
			i = 0
			s.mu.Lock()
			clear(s.records)
			s.mu.Unlock()
		}
		s.Receive(list[i])
		i++
	}
}
