package engine

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"bprelay/p2pwire"
	"bprelay/relay/core"
)

// raiseDescriptors makes room for n open files, or fails the test: it must not pass for want of load.
func raiseDescriptors(t *testing.T, n uint64) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := setDescriptors(n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) })
}

func setDescriptors(n uint64) error {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	if l.Cur >= n {
		return nil
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: max(n, l.Max)}); err != nil {
		return fmt.Errorf("this needs %d file descriptors, the limit is %d (hard %d): %w", n, l.Cur, l.Max, err)
	}
	return nil
}

// heap is the memory in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

const limitGrowth = 160 << 20

// 10,000 connections that never shake hands, each with the beginning of a frame: once with the
// core's own bound on them, once with all of them let in.
func TestLoadNeverHandshake(t *testing.T) {
	const n = 10_000
	raiseDescriptors(t, n+500) // the far ends are in another process
	for _, young := range []int{256, n} {
		t.Run(fmt.Sprintf("max_young=%d", young), func(t *testing.T) {
			cfg := loopback()
			cfg.Core.MaxYoung = young
			cfg.Core.HandshakeTimeout, cfg.Core.IdleTimeout = time.Hour, time.Hour
			e, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			start(t, e)
			tr := talk(t, e)
			tr.exchange(t, 10, 200)
			before := heap()
			up, hangUp := crowd(t, e.Addr(core.Network).String(), n)
			for busy := true; busy; {
				tr.exchange(t, 10, 200)
				select {
				case err := <-up:
					if err != nil {
						t.Fatal(err)
					}
					busy = false
				default:
				}
			}
			links := func() int { return look(t, e, func() int { return len(e.loop.links) }) }
			soon(t, "as many as may to be let in", func() bool { return links() == young+2 })
			soon(t, "the others to be turned away", func() bool { return int(status(t, e).Stats.Refused) == n-young })
			tr.exchange(t, 100, 200)
			st := status(t, e)
			if got := len(st.Sessions) - 2; got != young {
				t.Errorf("%d sessions without a handshake, %d are allowed", got, young)
			}
			growth := heap() - before
			if growth > limitGrowth {
				t.Errorf("heap grew by %d MiB", growth>>20)
			}
			t.Logf("heap grew by %d KiB, %d sessions, %d refused", growth>>10, len(st.Sessions), st.Stats.Refused)
			hangUp()
			soon(t, "the rest to be gone", func() bool { return links() == 2 })
			tr.exchange(t, 10, 200)
		})
	}
}

// crowd has another process open n connections and keep them. up answers when they are open; hangUp
// ends that process, and them.
func crowd(t *testing.T, address string, n int) (up <-chan error, hangUp func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"=crowd", crowdVar+"="+address, crowdSizeVar+"="+strconv.Itoa(n))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := out.Read(make([]byte, 1))
		answer <- err
	}()
	var once sync.Once
	hangUp = func() {
		once.Do(func() {
			_ = in.Close()
			if err := cmd.Wait(); err != nil {
				t.Errorf("crowd: %v", err)
			}
			cancel()
		})
	}
	t.Cleanup(hangUp)
	return answer, hangUp
}

const crowdVar, crowdSizeVar = "BPRELAY_ENGINE_TEST_ADDRESS", "BPRELAY_ENGINE_TEST_CONNECTIONS"

// childCrowd is that other process. Its connections come from several hosts.
func childCrowd() error {
	n, err := strconv.Atoi(os.Getenv(crowdSizeVar))
	if err != nil {
		return err
	}
	if err := setDescriptors(uint64(n) + 500); err != nil {
		return err
	}
	conns := make([]net.Conn, n)
	const hosts = 8
	var group errgroup.Group
	for w := range hosts {
		group.Go(func() error {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+w))}, Timeout: patience}
			for i := w; i < n; i += hosts {
				c, err := d.Dial("tcp", os.Getenv(crowdVar))
				if err != nil {
					return err
				}
				_, _ = c.Write([]byte{0, 16, 0, 0, byte(p2pwire.TypeHandshake), 1, 2, 3}) // may be closed by now
				conns[i] = c
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if _, err := os.Stdout.Write([]byte{'.'}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, c := range conns {
		_ = c.(*net.TCPConn).SetLinger(0) // leaves no ports in TIME_WAIT
		_ = c.Close()
	}
	return nil
}

// A peer that reads one byte a second, while tens of megabytes go out.
func TestLoadSlowReader(t *testing.T) {
	e, err := New(loopback())
	if err != nil {
		t.Fatal(err)
	}
	start(t, e)
	tr := talk(t, e)
	slow := join(t, e, core.Network)
	_ = slow.SetReadBuffer(4096)
	ctx, stop := context.WithCancel(context.Background())
	var slowRead atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-second.C:
				n, _ := slow.Read(make([]byte, 1))
				slowRead.Add(int64(n))
			}
		}
	})
	defer wg.Wait()
	defer stop()
	before := heap()
	const rounds, each, size = 40, 25, 40 << 10 // at least 40 MB out, and as much in
	local := slow.LocalAddr().String()
	var dropped uint64
	for r := 0; r < rounds || slowRead.Load() < 2; r++ {
		tr.exchange(t, each, size)
		for _, s := range status(t, e).Sessions {
			if s.Remote != local {
				continue
			}
			dropped = s.Stats.Dropped
			if s.QueuedBytes > 8<<20 {
				t.Fatalf("%d bytes queued for the slow peer", s.QueuedBytes)
			}
		}
		on(t, e, func() {
			for _, k := range e.loop.links {
				if n := k.conn.OutboundBuffered(); n > highWater {
					t.Errorf("%d bytes inside gnet", n)
				}
			}
		})
	}
	if dropped == 0 {
		t.Error("the slow peer was sent everything: the test proves nothing")
	}
	if g := heap() - before; g > limitGrowth {
		t.Errorf("heap grew by %d MiB", g>>20)
	}
	t.Logf("%d transactions not sent to the slow peer, heap grew by %d KiB", dropped, (heap()-before)>>10)
}

// Peers that send 8 MiB frames of noise, of every type, before and after a proper handshake.
func TestLoadNoise(t *testing.T) {
	e, err := New(loopback())
	if err != nil {
		t.Fatal(err)
	}
	start(t, e)
	tr := talk(t, e)
	tr.exchange(t, 10, 200)
	before := heap()
	const noisy, frames = 12, 3
	var sent sync.WaitGroup
	for w := range noisy {
		sent.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(w)))
			noise := make([]byte, p2pwire.PrefixLen+p2pwire.MaxPayload)
			for i := 0; i+8 <= len(noise); i += 8 {
				binary.LittleEndian.PutUint64(noise[i:], rng.Uint64())
			}
			binary.LittleEndian.PutUint32(noise, p2pwire.MaxPayload)
			for f := range frames {
				c, err := net.DialTimeout("tcp", e.Addr(core.Network).String(), patience)
				if err != nil {
					t.Errorf("connect: %v", err)
					return
				}
				noise[p2pwire.PrefixLen] = byte(p2pwire.TypePackedTransaction) // may be that large
				if w%2 == 0 {
					noise[p2pwire.PrefixLen] = byte((w*frames + f) % p2pwire.NumTypes)
				}
				noise[len(noise)-1]++ // the same again would be dropped as a duplicate, unread
				if f > 0 {
					_, _ = c.Write(handshakeFrame(e.cfg.Core.ChainID))
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				// The relay ends the session at some point of this, or after it.
				_, _ = c.Write(noise)
				n, err := c.Write(noise)
				for err == nil && n > 0 {
					n, err = c.Read(noise[p2pwire.PrefixLen+1:])
				}
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					t.Error("a noisy session stays open")
				}
				_ = c.Close()
			}
		})
	}
	through := make(chan struct{})
	go func() { sent.Wait(); close(through) }()
	peak := 0
	for busy := true; busy; {
		tr.exchange(t, 5, 200)
		peak = max(peak, status(t, e).PartialBytes)
		select {
		case <-through:
			busy = false
		default:
		}
	}
	if peak > 64<<20 {
		t.Errorf("%d MiB of partial frames", peak>>20)
	}
	soon(t, "the noisy sessions to be gone", func() bool { return len(status(t, e).Sessions) == 2 })
	st := status(t, e)
	if st.PartialBytes != 0 {
		t.Errorf("%d bytes of partial frames are left", st.PartialBytes)
	}
	if g := heap() - before; g > limitGrowth {
		t.Errorf("heap grew by %d MiB", g>>20)
	}
	reasons, _ := json.Marshal(st.Stats.Closed)
	t.Logf("peak of partial frames %d KiB, heap grew by %d KiB, closed %s", peak>>10, (heap()-before)>>10, reasons)
	tr.exchange(t, 50, 200)
}
