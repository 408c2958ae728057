package journal

import (
	"errors"
	"fmt"
	"time"
)

// tape is the file on disk, as the writing goroutine sees it.
type tape struct {
	dir  directory
	open file // what records are appended to; nil before the first replace
	head []byte
	size int64
}

// append writes to the end and returns when it is on disk. After an error the file must not be
// appended to any more: what is in it is unknown.
func (t *tape) append(b []byte) error {
	if t.open == nil {
		return errors.New("there is no file to append to")
	}
	if _, err := t.open.Write(b); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	t.size += int64(len(b))
	if err := t.open.Sync(); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}

// errNotReplaced is an error that left the old file as it was, on disk and for appending.
var errNotReplaced = errors.New("write a new file")

// replace puts a new file in the place of the old one and returns when it is on disk.
func (t *tape) replace(b []byte) error {
	f, err := t.dir.create(freshName)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotReplaced, err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = t.dir.rename(freshName, claimsName)
	}
	if err != nil {
		_ = f.Close()
		_ = t.dir.remove(freshName) // a full disk needs the room
		return fmt.Errorf("%w: %w", errNotReplaced, err)
	}
	t.close()
	t.open, t.head, t.size = f, b[:recordSize], int64(len(b))
	if err := t.dir.sync(); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// markGap makes the file on disk say that it is not complete, or removes it.
func (t *tape) markGap() error {
	err := errors.New("there is no file")
	if t.open != nil {
		h, _ := decodeRecord(t.head, [32]byte{}, 0)
		// In place: that takes no room, and a record lies in one sector.
		if _, err = t.open.WriteAt(header(h.id, flagGap, h.wall), 0); err == nil {
			err = t.open.Sync()
		}
	}
	if err == nil {
		return nil
	}
	rerr := t.dir.remove(claimsName)
	if rerr == nil {
		rerr = t.dir.sync()
	}
	if rerr == nil {
		return nil
	}
	return fmt.Errorf("mark the gap: %w; remove the journal: %w", err, rerr)
}

func (t *tape) close() {
	if t.open != nil {
		_ = t.open.Close() // everything in it that matters was synced
		t.open = nil
	}
}

// order is one piece of work for the disk.
type order struct {
	data    []byte
	replace bool
	gap     bool // if it fails, the file is to say that it is not complete
}

// outcome is what became of it.
type outcome struct {
	order
	err    error
	gapErr error // the gap could not be marked
	took   time.Duration
	size   int64
}

func (t *tape) carryOut(o order) outcome {
	start := time.Now()
	out := outcome{order: o}
	if o.replace {
		out.err = t.replace(o.data)
	} else {
		out.err = t.append(o.data)
	}
	out.took = time.Since(start)
	if out.err != nil && o.gap {
		out.gapErr = t.markGap()
	}
	out.size = t.size
	return out
}
