package quorum

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"golang.org/x/sys/unix"
)

// ErrLocked means that another process has the directory.
var ErrLocked = errors.New("the directory is in use")

var errFull = errors.New("the disk is full")

// Files of a member's directory.
const (
	lockName  = "lock"
	birthName = "member" // who this is: the name, and a number made with the directory
	logName   = "log"    // the log's segments, and term and vote
	// keepSnapshots is how many snapshots are kept (raft's directory is "snapshots").
	keepSnapshots = 2
	// segmentSize (bytes) is what the log reserves at a time, and at least gives back.
	segmentSize = 8 << 20
)

// home is a member's directory, locked for this process.
type home struct {
	dir  string
	lock *os.File
	// birth tells this directory from another one of a member of the same name: who lost what it voted
	// for must not vote again as the same.
	birth string
	// room (bytes) is what has to be free for the log to be opened.
	room uint64
}

// openHome takes a directory for this process, and makes it if it is missing. The error names the path:
// ErrLocked if another process has it, or the system's.
func openHome(dir, member string) (*home, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("locate cluster directory: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, logName), 0o700); err != nil {
		return nil, fmt.Errorf("make cluster directory: %w", err)
	}
	h := &home{dir: dir, room: 4 * segmentSize}
	if h.lock, err = lockFile(filepath.Join(dir, lockName)); err != nil {
		return nil, err
	}
	if h.birth, err = birthOf(dir, member); err != nil {
		_ = h.lock.Close()
		return nil, err
	}
	return h, nil
}

func (h *home) close() error { return h.lock.Close() }

// open returns the log and the snapshots. A disk that is nearly full is an error: a log that can be opened,
// and fails at the next entry, would make the member come and go.
func (h *home) open(log hclog.Logger) (store, raft.SnapshotStore, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(h.dir, &st); err != nil {
		return nil, nil, fmt.Errorf("see how full the disk is: %w", err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < h.room {
		return nil, nil, fmt.Errorf("%w: %d MiB are free at %s, and %d are needed", errFull, free>>20, h.dir, h.room>>20)
	}
	w, err := wal.Open(filepath.Join(h.dir, logName), wal.WithSegmentSize(segmentSize), wal.WithLogger(log.Named("wal")))
	if err != nil {
		return nil, nil, fmt.Errorf("open log: %w", err)
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(h.dir, keepSnapshots, log.Named("snapshots"))
	if err != nil {
		_ = w.Close()
		return nil, nil, fmt.Errorf("open snapshots: %w", err)
	}
	return w, snaps, nil
}

// birthOf reads who the directory belongs to, or makes it this member's.
func birthOf(dir, member string) (string, error) {
	path := filepath.Join(dir, birthName)
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		name, birth, ok := strings.Cut(strings.TrimSuffix(string(text), "\n"), " ")
		if b, err := hex.DecodeString(birth); !ok || err != nil || len(b) != birthSize {
			return "", fmt.Errorf("%s is damaged: this member has to join anew, with an empty directory", path)
		}
		if name != member {
			return "", fmt.Errorf("%s: the directory is that of member %s, not of %s", path, name, member)
		}
		return birth, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("read who the directory belongs to: %w", err)
	}
	if rest, err := os.ReadDir(filepath.Join(dir, logName)); err != nil || len(rest) > 0 {
		return "", fmt.Errorf("%s is missing, and there is a log: this member has to join anew, with an empty directory", path)
	}
	birth := newBirth()
	if err := writeWhole(dir, birthName, member+" "+birth+"\n"); err != nil {
		return "", fmt.Errorf("write who the directory belongs to: %w", err)
	}
	return birth, nil
}

// birthSize (bytes) is what tells directories apart.
const birthSize = 8

func newBirth() string {
	b := make([]byte, birthSize)
	_, _ = rand.Read(b) // never fails, by its documentation
	return hex.EncodeToString(b)
}

// writeWhole makes a file that is there whole, after a crash too, or not at all.
func writeWhole(dir, name, text string) error {
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lockFile takes a lock for this process, until the file is closed or the process ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		b := make([]byte, 32)
		n, _ := f.ReadAt(b, 0)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n]))); err == nil {
			return nil, fmt.Errorf("%w by process %d: %s", ErrLocked, pid, path)
		}
		return nil, fmt.Errorf("%w: %s", ErrLocked, path)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // only for the other's message
	}
	return f, nil
}
