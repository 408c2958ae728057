// Package creds makes and reads what the members of a relay cluster know each other by.
//
//	made, err := creds.Create(creds.Plan{Dir: dir, Members: []string{"a", "b"}})   // once, anywhere
//	me, err := creds.Load(creds.Options{Name: "a", Members: names, CA: ..., Cert: ..., Key: ...})
//	conf := me.Client("b")                       // TLS 1.3, both sides show a certificate
//	name, err := me.Verify(certificate, now)     // whose is it?
//	sig, err := me.Sign("purpose", text)         // and creds.CheckSignature
//
// # Who is a member
//
// With a cluster CA: who shows a certificate signed by it that names a configured member in a URI
// (bprelay://member/NAME). With pins: who shows the key whose SHA-256 is configured for a member.
// Pins need no CA and know no expiry; a CA lets members be added without touching the others' key
// lists. In both cases a name that is not configured is nobody. The names of a certificate that
// programs of other kinds look at (common name, DNS) are the same, and decide nothing here.
//
// The CA's key is needed to add members and to renew certificates only: it belongs on no relay.
//
// # The gossip key
//
// A file with base64 keys, one a line, the first of which encrypts while all of them decrypt. It is
// changed in three steps, each of which is brought to all members before the next one: [Keyring.Add]
// (all can read the new key), [Keyring.Use] (all write with it), [Keyring.Remove] (the old one is gone).
package creds
