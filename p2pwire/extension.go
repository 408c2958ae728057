package p2pwire

// Header extensions (block_header.hpp) and block extensions (block.hpp). An id
// nodeos does not know, a repeated one, or a falling order makes it refuse the
// block. Bytes behind an extension's last field are ignored by its unpacker,
// and here.
const (
	extProtocolFeatures  = 0 // protocol_feature_activation
	extScheduleChange    = 1 // producer_schedule_change_extension
	extFinality          = 2 // finality_extension, spring only
	numHeaderExtensions  = 3
	minExtension         = 2 + 1
	minProducerAuthority = 8 + 1 + 4 + 1
	minKeyWeight         = K1KeySize + 2

	extAdditionalSignatures = 2 // additional_block_signatures_extension
	extQuorumCertificate    = 3 // quorum_certificate_extension, spring only
)

// readHeaderExtensions walks header_extensions and keeps the QC claim.
func (b *Block) readHeaderExtensions(c *cursor) {
	next := 0
	for range c.count(minExtension, "header_extensions") {
		at := c.off
		id := int(c.u16("header_extensions"))
		data := c.bytes("header_extensions")
		if c.err != nil {
			return
		}
		if id >= numHeaderExtensions || id < next {
			c.off = at
			c.fail("header_extensions", ErrExtension)
			return
		}
		next = id + 1
		e := cursor{buf: data}
		switch id {
		case extProtocolFeatures:
			e.skip(32*e.count(32, "protocol_features"), "protocol_features")
		case extScheduleChange:
			e.skipScheduleChange()
		case extFinality:
			b.HasQC = true
			b.QC = QCClaim{Num: e.u32("qc_claim"), Strong: e.bool("qc_claim")}
			e.skipFinalizerPolicyDiff()
			e.skipProposerPolicyDiff()
		}
		if e.err != nil {
			c.off = c.off - len(data) + e.at
			c.fail("header_extensions."+e.field, ErrExtension)
			return
		}
	}
}

// skipLegacySchedule walks legacy::producer_schedule_type.
func (c *cursor) skipLegacySchedule() {
	c.u32("new_producers")
	for range c.count(8+K1KeySize, "new_producers") {
		c.u64("new_producers")
		c.skipPublicKey("new_producers")
	}
}

// skipScheduleChange walks producer_authority_schedule.
func (c *cursor) skipScheduleChange() {
	c.u32("producer_schedule")
	for range c.count(minProducerAuthority, "producer_schedule") {
		c.skipProducerAuthority("producer_schedule")
	}
}

func (c *cursor) skipProducerAuthority(field string) {
	c.u64(field)
	c.variant(1, field) // block_signing_authority_v0 is the only alternative
	c.u32(field)
	for range c.count(minKeyWeight, field) {
		c.skipPublicKey(field)
		c.u16(field)
	}
}

// skipFinalizerPolicyDiff walks optional<finalizer_policy_diff>.
func (c *cursor) skipFinalizerPolicyDiff() {
	const field = "new_finalizer_policy_diff"
	if !c.bool(field) {
		return
	}
	c.u32(field)
	c.u64(field)
	c.skip(2*c.count(2, field), field) // remove_indexes
	for range c.count(2+1+8+1+FinalizerKeySize, field) {
		c.u16(field)
		c.bytes(field) // description
		c.u64(field)
		c.fixedBytes(FinalizerKeySize, field)
	}
}

// skipProposerPolicyDiff walks optional<proposer_policy_diff>.
func (c *cursor) skipProposerPolicyDiff() {
	const field = "new_proposer_policy_diff"
	if !c.bool(field) {
		return
	}
	c.u32(field)
	c.u32(field)
	c.skip(2*c.count(2, field), field) // remove_indexes
	for range c.count(2+minProducerAuthority, field) {
		c.u16(field)
		c.skipProducerAuthority(field)
	}
}

// checkBlockExtensions walks block_extensions.
func (c *cursor) checkBlockExtensions() {
	next := 0
	for range c.count(minExtension, "block_extensions") {
		at := c.off
		id := int(c.u16("block_extensions"))
		data := c.bytes("block_extensions")
		if c.err != nil {
			return
		}
		if id < extAdditionalSignatures || id > extQuorumCertificate || id < next {
			c.off = at
			c.fail("block_extensions", ErrExtension)
			return
		}
		next = id + 1
		e := cursor{buf: data}
		if id == extAdditionalSignatures {
			e.checkAdditionalSignatures()
		} else {
			e.skipQuorumCertificate()
		}
		if e.err != nil {
			err := ErrExtension
			if e.err == ErrWebAuthn {
				err = ErrWebAuthn
			}
			c.off = c.off - len(data) + e.at
			c.fail("block_extensions."+e.field, err)
			return
		}
	}
}

// checkAdditionalSignatures walks additional_block_signatures_extension: at
// least one, none twice, none by WebAuthn.
func (c *cursor) checkAdditionalSignatures() {
	const field = "additional_signatures"
	n := c.count(K1SigSize, field)
	if c.err == nil && (n == 0 || n > maxAdditionalSignatures) {
		c.fail(field, ErrRange)
	}
	first := c.off
	for i := range n {
		at := c.off
		curve, sig := c.skipSignature(field)
		if c.err == nil && curve == curveWA {
			c.off = at
			c.fail(field, ErrWebAuthn)
		}
		// All are K1 or R1, so they are of one size (unless padded) and few.
		earlier := cursor{buf: c.buf, off: first}
		for range i {
			if cv, s := earlier.skipSignature(field); c.err == nil && cv == curve && string(s) == string(sig) {
				c.off = at
				c.fail(field, ErrRange)
			}
		}
		if c.err != nil {
			return
		}
	}
}

// maxAdditionalSignatures bounds the quadratic search for repeated signatures.
// nodeos has no such bound, but needs as many keys in one producer's authority.
const maxAdditionalSignatures = 256

// skipQuorumCertificate walks qc_t: block number, the active policy's aggregate,
// and the pending policy's if there is one.
func (c *cursor) skipQuorumCertificate() {
	c.u32("qc.block_num")
	c.skipAggregate("qc.active_policy_sig")
	if c.bool("qc.pending_policy_sig") {
		c.skipAggregate("qc.pending_policy_sig")
	}
}

// skipAggregate walks qc_sig_t: optional strong and weak bitsets, signature.
func (c *cursor) skipAggregate(field string) {
	for range 2 {
		if c.bool(field) {
			bits := c.varint(field)
			c.skip(int((uint64(bits)+7)/8), field)
		}
	}
	c.fixedBytes(FinalizerSigSize, field)
}
