// Package checker judges a relay from the outside: it is fed the raw bytes that
// peers on the network side received, parses them itself, and says whether the
// promises were kept. It knows nothing of relays or simulations.
//
//	c := checker.New(checker.Config{Own: own, Schedule: schedule})
//	c.Feed(wallNow, "observer/1", received) // every read of every connection
//	report := c.Report(from, to, kills)
//	if !report.OK() { ... report.Violations ... }
//
// A stream is one TCP connection in the direction towards the peer: a new
// connection needs a new stream name, for a peer may be sent blocks again after
// it reconnects.
package checker
