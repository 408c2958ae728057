// Package p2pwire reads and writes the EOSIO/Antelope p2p wire protocol as
// nodeos speaks it, from leap 3 to spring 1.2 and its development line.
//
// # Frames
//
// A TCP stream is a sequence of frames:
//
//	u32 little endian   payload length, without these four bytes; 1..8388608
//	varuint32           message index, 0..13
//	...                 body
//
// There is no magic, no checksum, no compression. nodeos does not use the length
// to get back in step: a body that is shorter or longer than its fields breaks
// the connection. So every parser here wants its body exactly.
//
// [ParseFrame] cuts a stream:
//
//	for {
//		f, err := p2pwire.ParseFrame(buf)
//		if err != nil {
//			return err // end the session: the stream cannot be resumed
//		}
//		if f == nil {
//			break // incomplete: wait for more bytes
//		}
//		handle(f.Type(), f.Body())
//		buf = buf[len(f):]
//	}
//
// [AppendFrame] writes a message, [AppendRawFrame] a type and a finished body.
// What is passed on is passed on as the bytes it came in.
//
// # Messages
//
// "PV" is the protocol version a receiver must have announced before it may be
// sent the message ([Type.SendableTo]): a nodeos closes the connection, without
// a go_away, on an index it does not know. Sizes are of the body in bytes;
// [FrameLen] refuses others as soon as the first five bytes of a frame are there.
// The upper bounds of handshake, notice, request and gossip are this package's:
// nodeos has only the 8 MiB of the frame.
//
//	idx  message                     PV  size         Go type
//	 0   handshake_message            0  283..65536   Handshake
//	 1   chain_size_message           0  72           ChainSize
//	 2   go_away_message              0  36           GoAway
//	 3   time_message                 0  32           Time
//	 4   notice_message               0  18..1 MiB    Notice
//	 5   request_message              0  18..1 MiB    Request
//	 6   sync_request_message         0  8            SyncRequest
//	 7   signed_block                 0  184..8 MiB-1 Block (view)
//	 8   packed_transaction           0  4..8 MiB-1   Transaction (view)
//	 9   vote_message                 9  324          Vote (view)
//	10   block_nack_message          10  32           BlockNack
//	11   block_notice_message        10  64           BlockNotice
//	12   gossip_bp_peers_message     11  1..1 MiB     GossipBPPeers
//	13   transaction_notice_message  12  32           TransactionNotice
//
// Who sends what: the dialler begins with handshake and time; the other answers
// with its handshake, or with a notice about what it has. A node that is behind
// sends request (a few blocks) or sync_request (many) and gets signed_block.
// From then on both send each block, vote and transaction the other is not known
// to have. time_message is sent every keep-alive interval and answered. go_away
// precedes a close, sometimes. A nack says "had it already"; after four, a
// notice comes in place of the block.
//
// The protocol version is what a handshake's network_version is above 1205
// ([ProtocolVersion]). Nothing is negotiated: 7 is leap, 9 spring 1.0, 10 spring
// 1.1, 11 spring 1.2, 12 its development line. Announcing 9 asks for votes, but
// for no nacks, notices or gossip.
//
// # Two kinds of types
//
// Rare messages are structs: DecodeX copies what it reads, AppendBody writes it.
// Nothing they contain aliases the body.
//
// Hot messages are views: [ParseBlock], [ParseVote] and [ParseTransaction] return
// small values that point into the body and are valid as long as its bytes are.
// They do not allocate, nor does [Block.Check] with a reused [Scratch].
//
// # How much is checked
//
// The aim is to take what nodeos takes and to refuse what would make it close
// the connection for its form. Therefore: receipts, packed transactions (inflated
// up to 1 MiB each), header extensions 0, 1 and 2, block extensions 2 and 3 are
// walked to the last field; bools are 0 or 1; variant indexes exist; extension
// ids are known, ascending and unique; transaction_mroot is recomputed in the
// form of the block's era; a block signed with WebAuthn is refused, since nodeos
// hangs up on one. And therefore also: counts padded with zero groups, bytes
// behind the inner transaction or an extension's last field, a receipt's status,
// and unknown go_away reasons are let pass. Where bytes are padded, ids and
// digests are those of the form nodeos would have written, as it computes them.
//
// Not checked, for want of chain state or at too high a price: legacy block
// signatures, votes, quorum certificates, and whether BLS keys and signatures
// are points of their curve. A proper Savanna block is signed over its id:
// [AuthorityVerifier] verifies it against its producer's keys, K1 and R1, and
// [Block.Signers] tells who signed it.
//
// # Errors
//
// Every error about received bytes is an [*Error] with the message type, the
// field in nodeos' words, the offset, and one of the sentinels; all match
// [ErrMalformed]. What is well-formed but not acceptable has its own:
// [ErrHandshake], [ErrKey], [ErrSignature].
//
// # Making messages
//
// [BlockBuilder], [TransactionBuilder], [AppendTransaction], [AppendVote],
// [AppendQC], [K1Private] and [R1Private] make what a node makes: for simulations
// and tests.
package p2pwire
