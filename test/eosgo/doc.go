// Package eosgo holds the relay against a peer made by others: the p2p client of eos-go v0.10.2
// connects to a real relay over loopback. It has tests only.
//
// What eos-go is as a peer, seen here and in its source:
//
//   - It cannot send a handshake of its own: Peer.SendHandshake makes a signature that its encoder
//     refuses, so Client.Start returns with that error as soon as it is connected. Catch-up mode, which
//     needs such handshakes, does not work on its own. The connection is left open and read on; the tests
//     then write the handshake that it meant to write.
//   - That handshake announces network version 1206, which is protocol version 1: no votes, nacks,
//     notices of blocks or gossip may be sent to it. It carries an empty key and signature.
//   - It answers every handshake with the same handshake, node id and address replaced. The echo
//     announces the version of whoever it talks to. The relay goes by the first handshake of a
//     session. A relay that dials an eos-go hears nothing but echoes, and takes it for a peer of its
//     own version.
//   - It knows messages 0 to 8. Any other one, so a vote (9), ends its reading, as does whatever else
//     it cannot decode. The bytes go to stdout then.
//   - Savanna's blocks it reads as any others: finality extension and quorum certificate stay opaque
//     bytes, and are written again as they were. What it writes wrong, in any block, is a receipt that
//     holds a transaction.
//   - It never answers a time message, and sends none by itself: who says nothing else is idle.
//     Peer.SendTime keeps a session up, although it sends no times worth the name.
//   - go_away's reason has 1 byte in it, 4 in nodeos: what it reads is wrong, and what somebody makes
//     after its declaration does not decode. Its own encoder knows no such type and refuses.
//   - Peer.SetHandshakeTimeout makes it hang at the second message: every one waits for somebody to
//     take note that the first one came.
package eosgo
