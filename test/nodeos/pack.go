package nodeos

import (
	"encoding/binary"

	"bprelay/p2pwire"
)

// producer is a member of the schedule with its keys.
type producer struct {
	name  p2pwire.Name
	block blockKey
	vote  voteKey
}

// packSchedule packs a vector of producer_authority, each with a block_signing_authority_v0 of one
// key (libraries/chain/include/eosio/chain/producer_schedule.hpp).
func packSchedule(producers []producer) ([]byte, error) {
	b := unsigned(uint64(len(producers)))
	for _, p := range producers {
		key, err := p.block.wire()
		if err != nil {
			return nil, err
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(p.name))
		b = append(b, 0)                           // variant: block_signing_authority_v0
		b = binary.LittleEndian.AppendUint32(b, 1) // threshold
		b = append(b, 1)                           // keys
		b = append(b, key...)                      //
		b = binary.LittleEndian.AppendUint16(b, 1) // weight
	}
	return b, nil
}

// packFinalizers packs the policy set_finalizers takes in format 0. The description is the producer's
// name: by it nodeos tells votes of a node's own producers from those of others.
func packFinalizers(producers []producer, threshold uint64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, threshold)
	b = append(b, unsigned(uint64(len(producers)))...)
	for _, p := range producers {
		b = append(b, text(p.name.String())...)
		b = binary.LittleEndian.AppendUint64(b, 1) // weight
		b = append(b, unsigned(uint64(len(p.vote.affine)))...)
		b = append(b, p.vote.affine[:]...)
	}
	return b
}
