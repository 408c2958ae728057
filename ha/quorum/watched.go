package quorum

import "github.com/hashicorp/raft"

// watched tells of snapshots that were not written: raft only tries again, and meanwhile the log grows.
type watched struct {
	raft.SnapshotStore
	failed func(error)
}

// Create implements raft.SnapshotStore.
func (w watched) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, at uint64, t raft.Transport) (raft.SnapshotSink, error) {
	sink, err := w.SnapshotStore.Create(v, index, term, c, at, t)
	if err != nil {
		w.failed(err)
		return nil, err
	}
	return watchedSink{sink, w.failed}, nil
}

type watchedSink struct {
	raft.SnapshotSink
	failed func(error)
}

// Write implements raft.SnapshotSink.
func (w watchedSink) Write(b []byte) (int, error) {
	n, err := w.SnapshotSink.Write(b)
	if err != nil {
		w.failed(err)
	}
	return n, err
}

// Close implements raft.SnapshotSink.
func (w watchedSink) Close() error {
	err := w.SnapshotSink.Close()
	if err != nil {
		w.failed(err)
	}
	return err
}
