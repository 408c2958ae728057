package nodeos

import "encoding/binary"

// A WebAssembly module in its binary format, version 1, as far as a contract needs it: imported
// functions, one function of its own, one memory, no tables and no data.
// Source: WebAssembly Core Specification 1.0, chapter 5.

type valueType byte

const (
	i32 valueType = 0x7f
	i64 valueType = 0x7e
)

// signature is a function's type.
type signature struct{ params, results []valueType }

// hostFunction is a function imported from module "env", where nodeos has its own.
type hostFunction struct {
	name string
	signature
}

// Section ids and export kinds.
const (
	sectionType     = 1
	sectionImport   = 2
	sectionFunction = 3
	sectionMemory   = 5
	sectionExport   = 7
	sectionCode     = 10

	kindFunction = 0
	kindMemory   = 2
)

// assemble makes a module of the imports and one function, exported under the name given. The
// function's index is len(imports); those of the imports are their positions. It has one page of
// memory.
func assemble(imports []hostFunction, name string, sig signature, locals []valueType, body code) []byte {
	types := [][]byte{functionType(sig)}
	var imported [][]byte
	for i, f := range imports {
		types = append(types, functionType(f.signature))
		entry := append(text("env"), text(f.name)...)
		imported = append(imported, append(append(entry, kindFunction), unsigned(uint64(i+1))...))
	}
	var declared [][]byte
	for _, t := range locals {
		declared = append(declared, []byte{1, byte(t)})
	}
	function := append(append(vector(declared), body...), opEnd)
	function = append(unsigned(uint64(len(function))), function...)

	module := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	section := func(id byte, entries ...[]byte) {
		content := vector(entries)
		module = append(append(append(module, id), unsigned(uint64(len(content)))...), content...)
	}
	section(sectionType, types...)
	section(sectionImport, imported...)
	section(sectionFunction, []byte{0})
	section(sectionMemory, []byte{0, 1}) // no maximum, one page
	section(sectionExport,
		append(append(text(name), kindFunction), unsigned(uint64(len(imports)))...),
		append(text("memory"), kindMemory, 0))
	section(sectionCode, function)
	return module
}

func functionType(s signature) []byte {
	list := func(types []valueType) []byte {
		b := unsigned(uint64(len(types)))
		for _, t := range types {
			b = append(b, byte(t))
		}
		return b
	}
	return append(append([]byte{0x60}, list(s.params)...), list(s.results)...)
}

func vector(entries [][]byte) []byte {
	b := unsigned(uint64(len(entries)))
	for _, e := range entries {
		b = append(b, e...)
	}
	return b
}

func text(s string) []byte { return append(unsigned(uint64(len(s))), s...) }

func unsigned(v uint64) []byte { return binary.AppendUvarint(nil, v) }

// signed is LEB128 with the sign in bit 6 of the last byte, which is not Go's zigzag.
func signed(v int64) (b []byte) {
	for {
		low := byte(v & 0x7f)
		v >>= 7
		if v == 0 && low&0x40 == 0 || v == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}

// code is a sequence of instructions; each method appends one.
type code []byte

const (
	opUnreachable = 0x00
	opIf          = 0x04
	opEnd         = 0x0b
	opCall        = 0x10
	opDrop        = 0x1a
	opLocalGet    = 0x20
	opLocalSet    = 0x21
	opI32Const    = 0x41
	opI64Const    = 0x42
	opI64Eq       = 0x51
	opI64LtS      = 0x53

	noResult = 0x40
)

func (c code) i32Const(v int32) code { return append(append(c, opI32Const), signed(int64(v))...) }
func (c code) i64Const(v int64) code { return append(append(c, opI64Const), signed(v)...) }
func (c code) localGet(i int) code   { return append(append(c, opLocalGet), unsigned(uint64(i))...) }
func (c code) localSet(i int) code   { return append(append(c, opLocalSet), unsigned(uint64(i))...) }
func (c code) call(function int) code {
	return append(append(c, opCall), unsigned(uint64(function))...)
}
func (c code) drop() code              { return append(c, opDrop) }
func (c code) i64Eq() code             { return append(c, opI64Eq) }
func (c code) i64LessThanSigned() code { return append(c, opI64LtS) }
func (c code) unreachable() code       { return append(c, opUnreachable) }
func (c code) ifTrue(then code) code {
	return append(append(append(c, opIf, noResult), then...), opEnd)
}
