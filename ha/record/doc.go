// Package record keeps what each member of a cluster says of itself, so that any of them can answer for
// all.
//
//	s, err := record.Open(record.Options{Identity: me, Members: names, Path: file})
//	cluster, err := members.Join(members.Options{Carried: members.Carried{Local: s.Local, Merge: s.Merge, Receive: s.Receive}, ...})
//	s.SetBroadcast(cluster.Broadcast)
//	err = s.Publish(record.Status{Role: "active", ...})   // every few seconds
//	view := s.View()                                      // JSON, for status
//
// # A record
//
// A record has the member's name, an incarnation (of the process), a version (counted within it) and a
// time, all of which are signed together with the content by the key of the member's certificate, which
// comes along. Of two records of a member the one with the higher (incarnation, version) counts, however
// they arrive: by broadcast, by comparison with any member, or from the disk.
//
// Nobody else can make a member's record, and none is taken of who is not configured. An old one changes
// nothing where a newer one is known, and is shown as stale elsewhere, since its time is signed. A record
// whose incarnation or time is far in the future is refused: nothing could ever take its place.
//
// The incarnation is the time of the start in milliseconds, or one more than the last one known: from
// the disk, or from others who remember this member's past better than itself.
//
// # The wire
//
//	uint8    schema: 1
//	uint16   length of the certificate, big endian, and the certificate (DER)
//	uint16   length of the signature, and the signature (creds, purpose "record/1") of the body
//	uint16   length of the body, and the body: JSON; unknown fields are skipped
//
// Another schema is refused. Several records (Local, Merge) are each preceded by a uint16 length.
//
// # The disk
//
// The view is kept in one file, written whole beside the old one and renamed, and read once, at the
// start: every record in it is checked as if it had come from the network. The file has a schema number:
// schema 1 (no times of arrival) is read and written anew as schema 2, a later one is left alone until
// the first record arrives. A file that cannot be read is no error: the view fills again by itself.
package record
