package simnet

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bprelay/p2pwire"
)

// dialogue turns the two directions of a connection into lines that can be
// compared between a recording and a simulation: numbers become names by what
// they were in the first handshakes of the dialler (V) and the listener (B).
type dialogue struct {
	up, dn []p2pwire.Frame
	names  map[uint32]string
	head   uint32 // B's in its first handshake
}

func parseStream(t *testing.T, data []byte) (frames []p2pwire.Frame) {
	t.Helper()
	for len(data) > 0 {
		f, err := p2pwire.ParseFrame(data)
		if err != nil {
			t.Fatal(err)
		}
		if f == nil {
			break
		}
		frames = append(frames, f)
		data = data[len(f):]
	}
	return frames
}

func readCapture(t *testing.T, name string) *dialogue {
	t.Helper()
	var streams [2][]p2pwire.Frame
	for i, dir := range []string{"up", "dn"} {
		data, err := os.ReadFile(filepath.Join(captures, name+"."+dir+".bin"))
		if err != nil {
			t.Fatal(err)
		}
		streams[i] = parseStream(t, data)
	}
	return newDialogue(t, streams[0], streams[1])
}

func newDialogue(t *testing.T, up, dn []p2pwire.Frame) *dialogue {
	t.Helper()
	d := &dialogue{up: up, dn: dn, names: map[uint32]string{}}
	for _, side := range []struct {
		name   string
		frames []p2pwire.Frame
	}{{"V", up}, {"B", dn}} {
		for _, f := range side.frames {
			if f.Type() != p2pwire.TypeHandshake {
				continue
			}
			h, err := p2pwire.DecodeHandshake(f.Body())
			if err != nil {
				t.Fatal(err)
			}
			if d.names[h.RootNum] == "" {
				d.names[h.RootNum] = side.name + ".root"
			}
			d.names[h.HeadNum] = side.name + ".head"
			if side.name == "B" {
				d.head = h.HeadNum
			}
			break
		}
	}
	return d
}

func (d *dialogue) num(n uint32) string {
	if s := d.names[n]; s != "" {
		return s
	}
	if n == 1 {
		return "1"
	}
	if n > d.head {
		return "live"
	}
	return "between"
}

func (d *dialogue) list(l p2pwire.IDList) string {
	var ids []string
	for i, id := range l.IDs {
		if i == 1 {
			ids = append(ids, fmt.Sprint("earliest ", id.Num()))
			continue
		}
		ids = append(ids, d.num(id.Num()))
	}
	pending := "0"
	if l.Pending != 0 {
		pending = d.num(l.Pending)
	}
	return fmt.Sprintf("%s %s [%s]", l.Mode, pending, strings.Join(ids, ", "))
}

// lines describes one direction: control messages one by one, blocks in runs,
// and what depends on the moment (transactions, votes, keep-alive pings) not at
// all.
func (d *dialogue) lines(t *testing.T, frames []p2pwire.Frame) (out []string) {
	t.Helper()
	var lastBlock uint32
	for i, f := range frames {
		switch f.Type() {
		case p2pwire.TypeTime:
			if i > 1 {
				continue
			}
			m, _ := p2pwire.DecodeTime(f.Body())
			if m.Org == 0 {
				out = append(out, "ping")
			} else {
				out = append(out, "pong")
			}
		case p2pwire.TypeHandshake:
			h, _ := p2pwire.DecodeHandshake(f.Body())
			out = append(out, fmt.Sprintf("handshake %d head %s", h.Generation, d.num(h.HeadNum)))
		case p2pwire.TypeNotice:
			m, _ := p2pwire.DecodeNotice(f.Body())
			out = append(out, "notice trx "+d.list(m.Trx)+" blocks "+d.list(m.Blocks))
		case p2pwire.TypeRequest:
			m, _ := p2pwire.DecodeRequest(f.Body())
			out = append(out, "request trx "+d.list(m.Trx)+" blocks "+d.list(m.Blocks))
		case p2pwire.TypeSyncRequest:
			m, _ := p2pwire.DecodeSyncRequest(f.Body())
			out = append(out, fmt.Sprintf("sync_request %s+1 %s", d.num(m.Start-1), d.num(m.End)))
		case p2pwire.TypeGoAway:
			m, _ := p2pwire.DecodeGoAway(f.Body())
			out = append(out, "go_away "+m.Reason.String())
		case p2pwire.TypeSignedBlock:
			b, err := p2pwire.ParseBlock(f.Body())
			if err != nil {
				t.Fatal(err)
			}
			next := b.Num == lastBlock+1
			lastBlock = b.Num
			switch {
			case b.Num > d.head && next:
				continue
			case next && len(out) > 0 && strings.HasPrefix(out[len(out)-1], "blocks"):
				head, _, _ := strings.Cut(out[len(out)-1], " to ")
				out[len(out)-1] = head + " to " + d.num(b.Num)
			default:
				out = append(out, fmt.Sprintf("blocks %s+1 to %s", d.num(b.Num-1), d.num(b.Num)))
			}
		case p2pwire.TypeBlockNack, p2pwire.TypeBlockNotice:
			out = append(out, f.Type().String())
		}
	}
	return out
}

// tapped records one connection of the world, in the order they were dialled.
type tapped struct {
	conn   ConnID
	up, dn []byte
}

// tap records the connections that dialler opens to listener from now on.
func (r *rig) tap(dialler, listener string) *[]*tapped {
	var list []*tapped
	r.w.Tap(func(_ Instant, d Delivery) {
		up := d.From == dialler+":9876" && d.To == listener+":9876"
		dn := d.From == listener+":9876" && d.To == dialler+":9876"
		if !up && !dn {
			return
		}
		i := slices.IndexFunc(list, func(tp *tapped) bool { return tp.conn == d.Conn })
		if i < 0 {
			i = len(list)
			list = append(list, &tapped{conn: d.Conn})
		}
		if up {
			list[i].up = append(list[i].up, d.Data...)
		} else {
			list[i].dn = append(list[i].dn, d.Data...)
		}
	})
	return &list
}

func (tp *tapped) dialogue(t *testing.T) *dialogue {
	t.Helper()
	return newDialogue(t, parseStream(t, tp.up), parseStream(t, tp.dn))
}

func compare(t *testing.T, what string, want, got []string) {
	t.Helper()
	if !slices.Equal(want, got) {
		t.Errorf("%s: recorded\n\t%s\nsimulated\n\t%s", what, strings.Join(want, "\n\t"), strings.Join(got, "\n\t"))
	}
}
