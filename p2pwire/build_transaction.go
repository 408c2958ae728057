package p2pwire

import (
	"bytes"
	"compress/zlib"
)

// Action is one action of a transaction to be built, authorized by one
// permission.
type Action struct {
	Account, Name     Name
	Actor, Permission Name
	Data              []byte
}

// TransactionBuilder makes packed_transaction bodies for simulated nodes and
// tests.
type TransactionBuilder struct {
	Expiration      uint32 // unix seconds
	RefBlockNum     uint16
	RefBlockPrefix  uint32
	Actions         []Action
	Signatures      [][K1SigSize]byte // taken as they are
	ContextFreeData [][]byte
	Zlib            bool // compress both parts, as cleos does on request
}

// AppendPackedTransaction appends the body to dst.
func (t *TransactionBuilder) AppendPackedTransaction(dst []byte) []byte {
	dst = appendVarint(dst, uint32(len(t.Signatures)))
	for i := range t.Signatures {
		dst = append(dst, t.Signatures[i][:]...)
	}
	var cfd []byte
	if len(t.ContextFreeData) > 0 {
		cfd = appendVarint(nil, uint32(len(t.ContextFreeData)))
		for _, d := range t.ContextFreeData {
			cfd = appendBytes(cfd, d)
		}
	}
	trx := t.appendTransaction(nil)
	if !t.Zlib {
		return appendBytes(appendBytes(append(dst, compressionNone), cfd), trx)
	}
	if cfd != nil {
		cfd = deflate(cfd)
	}
	return appendBytes(appendBytes(append(dst, compressionZlib), cfd), deflate(trx))
}

// appendTransaction appends struct transaction.
func (t *TransactionBuilder) appendTransaction(dst []byte) []byte {
	dst = appendU32(dst, t.Expiration)
	dst = appendU16(dst, t.RefBlockNum)
	dst = appendU32(dst, t.RefBlockPrefix)
	dst = append(dst, 0, 0, 0) // max_net_usage_words, max_cpu_usage_ms, delay_sec
	dst = append(dst, 0)       // context_free_actions
	dst = appendVarint(dst, uint32(len(t.Actions)))
	for i := range t.Actions {
		a := &t.Actions[i]
		dst = appendU64(appendU64(dst, uint64(a.Account)), uint64(a.Name))
		dst = append(dst, 1)
		dst = appendU64(appendU64(dst, uint64(a.Actor)), uint64(a.Permission))
		dst = appendBytes(dst, a.Data)
	}
	return append(dst, 0) // transaction_extensions
}

func deflate(data []byte) []byte {
	var buf bytes.Buffer
	w, _ := zlib.NewWriterLevel(&buf, zlib.BestCompression) // the level is valid
	_, _ = w.Write(data)                                    // a bytes.Buffer takes all
	_ = w.Close()
	return buf.Bytes()
}

// Names of AppendTransaction's one action: eosio::reqauth by eosio@active.
const (
	nameEosio   Name = 0x5530ea0000000000
	nameReqauth Name = 0xbaac6d65a0000000
	nameActive  Name = 0x3232eda800000000
)

// AppendTransaction appends a small packed_transaction body to dst: one action
// whose data is payload. Different payloads, expirations or references give
// different transaction ids.
func AppendTransaction(dst []byte, expiration uint32, refNum uint16, refPrefix uint32, payload []byte, sigs ...[K1SigSize]byte) []byte {
	t := TransactionBuilder{
		Expiration:     expiration,
		RefBlockNum:    refNum,
		RefBlockPrefix: refPrefix,
		Actions:        []Action{{Account: nameEosio, Name: nameReqauth, Actor: nameEosio, Permission: nameActive, Data: payload}},
		Signatures:     sigs,
	}
	return t.AppendPackedTransaction(dst)
}
