package quorum

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bprelay/p2pwire"
)

// certs are the credentials of a test's cluster: each member trusts the others' keys.
type certs map[string]tls.Certificate

func newCerts(t testing.TB, names ...string) certs {
	list := certs{}
	for i, name := range names {
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}
		der, err := x509.CreateCertificate(rand.Reader, &template, &template, pub, key)
		if err != nil {
			t.Fatal(err)
		}
		list[name] = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	return list
}

// badge is one member's of them.
type badge struct {
	name string
	all  certs
}

func (b badge) Peer(cs tls.ConnectionState) (string, error) {
	for name, c := range b.all {
		if len(cs.PeerCertificates) > 0 && bytes.Equal(c.Certificate[0], cs.PeerCertificates[0].Raw) {
			return name, nil
		}
	}
	return "", errors.New("a stranger")
}

func (b badge) config(accept func(string) bool) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{b.all[b.name]}, ClientAuth: tls.RequireAnyClientCert,
		InsecureSkipVerify: true, SessionTicketsDisabled: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			name, err := b.Peer(cs)
			if err == nil && !accept(name) {
				err = fmt.Errorf("%s is not wanted here", name)
			}
			return err
		},
	}
}

func (b badge) Client(peer string) *tls.Config {
	return b.config(func(name string) bool { return name == peer })
}
func (b badge) Server() *tls.Config {
	return b.config(func(name string) bool { return name != b.name })
}

// wired is a cluster over loopback, on real disks and in real time.
func wired(t testing.TB, secure bool) *rig {
	t.Helper()
	r := newWired(t, secure)
	r.start()
	return r
}

// newWired is one that was not started yet.
func newWired(t testing.TB, secure bool) *rig {
	t.Helper()
	r := newRig(t, slices.Clone(members3))
	listeners := map[string]net.Listener{}
	var all certs
	if secure {
		all = newCerts(t, "a", "b", "w")
	}
	for i := range r.members {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m := &r.members[i]
		m.Address = l.Addr().String()
		listeners[m.Name] = l
	}
	dirs := map[string]string{}
	for _, m := range r.members {
		dirs[m.Name] = t.TempDir()
	}
	r.alter = func(o *Options) {
		_ = o.home.lock.Close()
		o.home, o.open, o.Dir, o.net = nil, nil, dirs[o.Name], nil
		l := listeners[o.Name]
		delete(listeners, o.Name)
		if l == nil { // once more
			for _, m := range r.members {
				if m.Name == o.Name {
					var err error
					if l, err = net.Listen("tcp", m.Address); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		o.Listener = l
		if secure {
			o.Identity = badge{o.Name, all}
		}
	}
	return r
}

// The whole over TLS, with a restart of the leader.
func TestOverTLS(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	r := wired(t, true)
	defer r.finish()
	a := r.awaitActive()
	for i := range p2pwire.Slot(10) {
		cl := claimOf(slotNow()+i, 1)
		r.relays[a].candidate(cl, bytes.Repeat([]byte("x"), 100<<(2*(i%6))))
		r.until("shown by both", 2*time.Second, func() bool { return r.pub.by(cl) == 2 })
	}
	r.end(a)
	b := r.awaitActive()
	cl := claimOf(slotNow()+50, 1)
	r.relays[b].candidate(cl, []byte("frame"))
	r.until("shown", 2*time.Second, func() bool { return r.pub.by(cl) == 1 })
	r.up(a)
	r.until("shown by both", 5*time.Second, func() bool { return r.pub.by(cl) == 2 })
	r.agree()
}

func TestStrangersAreNotHeard(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	timing := lan(t)
	all, others := newCerts(t, "a", "b", "c"), newCerts(t, "a", "b")
	type end struct {
		s *streams
		l net.Listener
	}
	ends := map[string]end{}
	address := func(name string) (string, bool) {
		e, ok := ends[name]
		if !ok {
			return "", false
		}
		return e.l.Addr().String(), true
	}
	open := func(key, name string, id Identity) *streams {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := newStreams(name, address, l, id, timing, testLog())
		s.serve(func(_ context.Context, from string, q []byte) []byte {
			return append([]byte(name+" to "+from+": "), q...)
		})
		ends[key] = end{s, l}
		return s
	}
	a := open("a", "a", badge{"a", all})
	open("b", "b", badge{"b", all})
	fake := open("fake", "b", badge{"b", others})
	impostor := open("c", "b", badge{"b", all})
	defer func() {
		for _, e := range ends {
			if err := e.s.close(); err != nil {
				t.Error(err)
			}
		}
	}()
	ctx := context.Background()
	for range 3 {
		if got, err := a.call(ctx, "b", []byte("hello")); err != nil || string(got) != "b to a: hello" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if _, err := fake.call(ctx, "a", []byte("hello")); err == nil {
		t.Error("a stranger was answered")
	}
	if _, err := a.call(ctx, "c", []byte("hello")); err == nil || !strings.Contains(err.Error(), "b is not wanted here") {
		t.Errorf("b answered for c: %v", err)
	}
	if _, err := impostor.call(ctx, "b", []byte("hello")); err == nil {
		t.Error("its own certificate was accepted")
	}
	if _, err := a.call(ctx, "z", nil); err == nil || !strings.Contains(err.Error(), "no configured member") {
		t.Errorf("nobody: %v", err)
	}
	if _, err := a.call(ctx, "b", make([]byte, maxQuestion+1)); !errors.Is(err, errTooLong) {
		t.Errorf("too long: %v", err)
	}
	// Without TLS nothing is understood at all.
	c, err := net.Dial("tcp", ends["b"].l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte("\x01aq\x05\x00\x00\x00hello"))
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 100)
	if n, _ := c.Read(b); strings.Contains(string(b[:n]), "hello") {
		t.Errorf("answered in the clear: %q", b[:n])
	}
}

func FuzzMessage(f *testing.F) {
	var b bytes.Buffer
	if err := writeMessage(&b, []byte("question")); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readMessage(bytes.NewReader(b))
		if err != nil {
			return
		}
		var w bytes.Buffer
		if err := writeMessage(&w, m); err != nil || !bytes.Equal(w.Bytes(), b[:w.Len()]) {
			t.Fatalf("%x is written as %x: %v", b, w.Bytes(), err)
		}
	})
}
