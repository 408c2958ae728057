package nodeos

import "bprelay/p2pwire"

// Actions of the system contract. Their data is what the host function takes, byte for byte; any
// other action does nothing. The contract asks for nobody's authority: the chain has no other users.
const (
	actionPreactivate   = "preactivate"  // data: a feature's digest, 32 bytes
	actionSetProducers  = "setprods"     // data: see packSchedule
	actionSetFinalizers = "setfinalizer" // data: see packFinalizers
	actionNonce         = "nonce"        // data: anything
)

// Host functions, with the signatures of libraries/chain/webassembly/interface.hpp (spring v1.2.2).
// A span or a pointer with a length is two i32, a single pointer one.
var (
	hostActionDataSize = hostFunction{"action_data_size", signature{results: []valueType{i32}}}
	hostReadActionData = hostFunction{"read_action_data", signature{params: []valueType{i32, i32}, results: []valueType{i32}}}
	hostPreactivate    = hostFunction{"preactivate_feature", signature{params: []valueType{i32}}}
	hostSetProducers   = hostFunction{"set_proposed_producers_ex", signature{params: []valueType{i64, i32, i32}, results: []valueType{i64}}}
	hostSetFinalizers  = hostFunction{"set_finalizers", signature{params: []valueType{i64, i32, i32}}}
)

// firstContract can activate protocol features and no more: setcode refuses a module that imports
// what no active feature has brought yet.
func firstContract() []byte {
	return dispatcher(branch{actionPreactivate, hostPreactivate, func(host int) code {
		return code{}.i32Const(dataAt).call(host)
	}})
}

// secondContract sets producers and finalizers, once all features are active.
func secondContract() []byte {
	// Formats of the data: 1 is producer_authority (WTMSIG_BLOCK_SIGNATURES), 0 the only one for
	// finalizer policies.
	const authorities, policy = 1, 0
	return dispatcher(
		branch{actionSetProducers, hostSetProducers, func(host int) code {
			// A negative result is a refusal without an exception.
			return code{}.i64Const(authorities).i32Const(dataAt).localGet(localSize).call(host).
				i64Const(0).i64LessThanSigned().ifTrue(code{}.unreachable())
		}},
		branch{actionSetFinalizers, hostSetFinalizers, func(host int) code {
			return code{}.i64Const(policy).i32Const(dataAt).localGet(localSize).call(host)
		}})
}

// Locals of apply: its parameters (receiver, code, action), then ours.
const (
	localAction = 2
	localSize   = 3
)

// dataAt is the address of the action's data: nodeos refuses 0 as a null pointer.
const dataAt = 16

// branch says which host function an action goes to, and how: its data is in memory from dataAt on,
// the size of it in localSize.
type branch struct {
	action string
	host   hostFunction
	call   func(host int) code
}

// dispatcher assembles apply(receiver, code, action).
func dispatcher(branches ...branch) []byte {
	const size, read = 0, 1
	imports := []hostFunction{hostActionDataSize, hostReadActionData}
	var body code
	for _, b := range branches {
		imports = append(imports, b.host)
		then := code{}.call(size).localSet(localSize).
			i32Const(dataAt).localGet(localSize).call(read).drop()
		then = append(then, b.call(len(imports)-1)...)
		body = body.localGet(localAction).i64Const(int64(mustName(b.action))).i64Eq().ifTrue(then)
	}
	return assemble(imports, "apply", signature{params: []valueType{i64, i64, i64}}, []valueType{i32}, body)
}

// mustName is for names that stand in the source.
func mustName(s string) p2pwire.Name {
	n, err := p2pwire.ParseName(s)
	if err != nil {
		panic(err)
	}
	return n
}
