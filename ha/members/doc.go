// Package members tells which members of the cluster are there, by gossip (hashicorp/memberlist).
//
//	c, err := members.Join(members.Options{Name: "a", Bind: "0.0.0.0:7946", Members: seeds, KeyFile: path, Preset: members.LAN, ...})
//	c.SetMeta(members.Meta{Role: "standby", Epoch: 7})
//	c.Broadcast("a", record)
//	c.Leave(ctx)
//
// It informs, and decides nothing: who is active follows from claims, links and the chain, never from
// what is known here. So a member that is wrongly called dead costs an alarm, no block.
//
// # Detection
//
// Every ProbeInterval each member asks another one for a sign of life, by UDP and, when that is late, by
// TCP. Without an answer within ProbeInterval it is suspected, and after SuspicionMult intervals more it
// is dead, unless it objects. With n members:
//
//	earliest = (1 + SuspicionMult) x ProbeInterval
//	latest   = (2n - 2) x ProbeInterval + earliest
//
// because a member asks the n-1 others in turns, shuffles them between, and loses a tick at that. A
// larger n makes no other difference: the multiplier by which memberlist waits for others'
// confirmation is 1 here, and so is that by which a member that finds itself slow is patient. With two
// members there is nobody to ask for a second opinion anyway.
//
//	preset   ProbeInterval   SuspicionMult   two members    three members
//	local    100 ms          3               400-600 ms     400-800 ms
//	lan      125 ms          3               500-750 ms     500-1000 ms
//	wan      1 s             4               5-7 s          5-9 s
//
// A longer interval or a higher multiplier tolerates busier members and worse networks; what it
// costs is the formula's. (memberlist's own default for LANs takes 5-6 s with two members.)
//
// # Leaving and dying
//
// A member that ends in good order says so (Leave); one that does not is found out by detection. memberlist
// does not tell the two apart for its users, so the word is in the metadata, sent before.
//
// # Keys
//
// Gossip is encrypted (AES-GCM) with the keys of a file, see package creds. The file is read again every
// few seconds; one that cannot be read changes nothing.
package members
