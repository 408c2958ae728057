package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// directory is what the journal needs of a file system; tests put one in its place that fails, or
// forgets what was not synced.
type directory interface {
	// read returns a file's bytes, nil if there is none.
	read(name string) ([]byte, error)
	// create makes an empty file, in place of one that is there.
	create(name string) (file, error)
	rename(from, to string) error
	remove(name string) error
	// sync makes what was created, renamed and removed durable.
	sync() error
}

type file interface {
	io.Writer
	io.WriterAt
	io.Closer
	Sync() error
}

const (
	claimsName = "claims"
	freshName  = "claims.new"
	lockName   = "lock"

	// maxFileSize is far beyond any journal: one this large is not read.
	maxFileSize = 64 << 20
)

// osDirectory is a real one.
type osDirectory struct{ path string }

func (d osDirectory) read(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(d.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err == nil && len(data) > maxFileSize {
		err = fmt.Errorf("%s is larger than %d bytes", f.Name(), maxFileSize)
	}
	if data == nil {
		data = []byte{}
	}
	return data, err
}

func (d osDirectory) create(name string) (file, error) {
	return os.OpenFile(filepath.Join(d.path, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

func (d osDirectory) rename(from, to string) error {
	return os.Rename(filepath.Join(d.path, from), filepath.Join(d.path, to))
}

func (d osDirectory) remove(name string) error {
	err := os.Remove(filepath.Join(d.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d osDirectory) sync() error {
	f, err := os.Open(d.path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
