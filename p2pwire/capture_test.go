package p2pwire

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// capture is one recorded stream direction with its index.
type capture struct {
	name   string // "savanna-dup1.up"
	mode   string // "savanna" or "legacy"
	data   []byte
	frames []captureFrame
}

type captureFrame struct {
	Dir    string `json:"dir"`
	Offset int    `json:"offset"`
	Length int    `json:"length"`
	Type   int    `json:"type"`
	Info   struct {
		ID      string          `json:"id"`
		BlockID string          `json:"block_id"`
		Num     uint32          `json:"num"`
		Prev    string          `json:"prev"`
		Slot    uint32          `json:"slot"`
		Prod    string          `json:"producer"`
		NTrx    int             `json:"ntrx"`
		QC      json.RawMessage `json:"qc"`
		Strong  bool            `json:"strong"`
		Key     string          `json:"key"`
	} `json:"info"`
}

// captureMeta is what a mode's meta file says.
type captureMeta struct {
	ChainID string `json:"chain_id"`
	Keys    map[string]struct {
		K1 []string `json:"k1"`
	} `json:"keys"`
	Genesis struct {
		InitialKey string `json:"initial_key"`
	} `json:"genesis"`
}

const captureDir = "testdata/captures"

func loadMeta(t testing.TB, mode string) captureMeta {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(captureDir, mode+"-meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m captureMeta
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

var captures struct {
	once sync.Once
	all  []capture
}

// loadCaptures returns every stream of testdata, read once.
func loadCaptures(t testing.TB) []capture {
	t.Helper()
	captures.once.Do(func() { captures.all = readCaptures(t) })
	return captures.all
}

func readCaptures(t testing.TB) []capture {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(captureDir, "*.bin"))
	if err != nil || len(paths) < 24 {
		t.Fatalf("captures missing: %d files, %v", len(paths), err)
	}
	var all []capture
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".bin")
		base, dir, _ := strings.Cut(name, ".")
		c := capture{name: name}
		c.mode, _, _ = strings.Cut(base, "-")
		if c.data, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		index, err := os.ReadFile(filepath.Join(captureDir, base+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var frames []captureFrame
		if err := json.Unmarshal(index, &frames); err != nil {
			t.Fatalf("%s: %v", base, err)
		}
		for _, f := range frames {
			if f.Dir == dir {
				c.frames = append(c.frames, f)
			}
		}
		all = append(all, c)
	}
	return all
}

// eachFrame calls f for every recorded frame of every stream.
func eachFrame(t testing.TB, f func(c *capture, rec *captureFrame, frame Frame)) {
	t.Helper()
	for _, c := range loadCaptures(t) {
		for i := range c.frames {
			rec := &c.frames[i]
			frame, err := ParseFrame(c.data[rec.Offset:])
			if err != nil || len(frame) != rec.Length {
				t.Fatalf("%s at %d: %d bytes, %v; want %d", c.name, rec.Offset, len(frame), err, rec.Length)
			}
			f(&c, rec, frame)
		}
	}
}

// firstFrame returns one recorded frame of a type, for table tests and seeds.
func firstFrame(t testing.TB, typ Type) Frame {
	t.Helper()
	var found Frame
	eachFrame(t, func(_ *capture, _ *captureFrame, frame Frame) {
		if found == nil && frame.Type() == typ {
			found = frame
		}
	})
	if found == nil {
		t.Fatalf("no recorded %s", typ)
	}
	return found
}
