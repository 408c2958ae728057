package record

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// fileSchema is the file's; see the package's documentation for those before.
const fileSchema = 2

// maxFile (bytes) is far beyond any view.
const maxFile = 1 << 20

// file is the view on disk.
type file struct {
	Schema  int         `json:"schema"`
	Records []keptBytes `json:"records"`
}

type keptBytes struct {
	// SeenMS is when it arrived, in Unix milliseconds.
	SeenMS int64  `json:"seen_ms"`
	Record []byte `json:"record"`
}

// fileV1 had the bytes alone, by member.
type fileV1 struct {
	Records map[string][]byte `json:"records"`
}

// decodeFile reads a file of any schema up to this one. Times of arrival that are not known are zero.
func decodeFile(data []byte) (*file, error) {
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, err
	}
	switch head.Schema {
	case fileSchema:
		f := &file{}
		return f, json.Unmarshal(data, f)
	case 1:
		var old fileV1
		if err := json.Unmarshal(data, &old); err != nil {
			return nil, err
		}
		f := &file{Schema: fileSchema}
		for _, name := range slices.Sorted(maps.Keys(old.Records)) {
			f.Records = append(f.Records, keptBytes{Record: old.Records[name]})
		}
		return f, nil
	}
	return nil, fmt.Errorf("schema %d: this program knows up to %d", head.Schema, fileSchema)
}

// directory is where the file is.
type directory struct{ path string }

func (d directory) read() ([]byte, error) {
	f, err := os.Open(d.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return data, err
}

// write puts a whole new file in place of the old one.
func (d directory) write(data []byte) error {
	dir := filepath.Dir(d.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	fresh := d.path + ".new"
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(fresh)
		return err
	}
	if err := os.Rename(fresh, d.path); err != nil {
		return err
	}
	where, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer where.Close()
	return where.Sync()
}

// load reads the view that was kept.
func (s *Store) load(now time.Time) {
	s.disk = directory{s.o.Path}
	data, err := s.disk.read()
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var f *file
	if err == nil {
		f, err = decodeFile(data)
	}
	if err != nil {
		s.log.Warn("the last view of the cluster cannot be read: it begins empty", "file", s.o.Path, "error", err)
		return
	}
	for _, k := range f.Records {
		seen := time.UnixMilli(k.SeenMS)
		if seen.After(now) {
			seen = now // the clock was set back meanwhile
		}
		e, err := open(k.Record)
		if err == nil && k.SeenMS == 0 {
			seen = e.made()
		}
		if err == nil {
			err = s.take(k.Record, seen)
		}
		s.refuse(err)
	}
}

// keep is the goroutine that writes the view after it changed.
func (s *Store) keep() {
	defer close(s.closed)
	for {
		select {
		case <-s.wake:
			s.save()
		case <-s.closing:
			s.save()
			return
		}
		select {
		case <-time.After(saveEvery):
		case <-s.closing:
		}
	}
}

func (s *Store) save() {
	if s.o.Path == "" {
		return
	}
	s.mu.Lock()
	f := file{Schema: fileSchema}
	for _, name := range slices.Sorted(maps.Keys(s.records)) {
		k := s.records[name]
		f.Records = append(f.Records, keptBytes{k.seen.UnixMilli(), k.bytes})
	}
	dirty := s.dirty
	s.dirty = false
	s.mu.Unlock()
	if !dirty {
		return
	}
	data, err := json.Marshal(f)
	if err == nil {
		err = s.disk.write(data)
	}
	if err != nil {
		s.mu.Lock()
		s.dirty = true // with the next change
		tell := time.Since(s.loud["disk"]) >= complainEvery
		if tell {
			s.loud["disk"] = time.Now()
		}
		s.mu.Unlock()
		if tell {
			s.log.Warn("the view of the cluster is not kept on disk", "file", s.o.Path, "error", err)
		}
	}
}

// Close writes the view a last time. ctx bounds the waiting for the disk.
func (s *Store) Close(ctx context.Context) error {
	s.once.Do(func() { close(s.closing) })
	select {
	case <-s.closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("keep the view of the cluster: %w", ctx.Err())
	}
}
