package nodeos

import (
	"bytes"
	"encoding/hex"
	"testing"

	"bprelay/p2pwire"
)

func TestSigned(t *testing.T) {
	for _, c := range []struct {
		v    int64
		want string
	}{
		{0, "00"}, {1, "01"}, {63, "3f"}, {64, "c000"}, {-1, "7f"}, {-64, "40"}, {-65, "bf7f"},
		{624485, "e58e26"}, {-123456, "c0bb78"}, {-1 << 63, "8080808080808080807f"},
	} {
		if got := hex.EncodeToString(signed(c.v)); got != c.want {
			t.Errorf("signed(%d) = %s, want %s", c.v, got, c.want)
		}
	}
}

// TestAssemble compares with a module written out by hand after the specification.
func TestAssemble(t *testing.T) {
	got := assemble([]hostFunction{{"f", signature{params: []valueType{i32}, results: []valueType{i64}}}},
		"apply", signature{params: []valueType{i64}}, []valueType{i32}, code{}.i32Const(0).call(0).drop())
	want := "" +
		"0061736d01000000" + // \0asm, version 1
		"010a" + "02" + "60017e00" + "60017f017e" + // types: (i64)->(), (i32)->(i64)
		"0209" + "01" + "03656e76" + "0166" + "0001" + // import env.f, function of type 1
		"0302" + "01" + "00" + // one function of type 0
		"0503" + "01" + "0001" + // memory of one page
		"0712" + "02" + "056170706c79" + "0001" + "066d656d6f7279" + "0200" + // exports apply and memory
		"0a0b" + "01" + "09" + "01017f" + "4100" + "1000" + "1a" + "0b" // its code: one i32 local
	if hex.EncodeToString(got) != want {
		t.Errorf("module is\n%x, want\n%s", got, want)
	}
}

func TestContractsNameTheirActions(t *testing.T) {
	for name, module := range map[string][]byte{
		actionPreactivate: firstContract(), actionSetProducers: secondContract(), actionSetFinalizers: secondContract(),
	} {
		if !bytes.Contains(module, append([]byte{opI64Const}, signed(int64(mustName(name)))...)) {
			t.Errorf("no branch for %s", name)
		}
	}
}

func TestPack(t *testing.T) {
	key, err := newBlockKey("bpalpha")
	if err != nil {
		t.Fatal(err)
	}
	one := []producer{{name: mustName("bpalpha"), block: key}}
	schedule, err := packSchedule(one)
	if err != nil {
		t.Fatal(err)
	}
	// Count, name, variant, threshold, count of keys, key, weight.
	if want := 1 + 8 + 1 + 4 + 1 + 34 + 2; len(schedule) != want {
		t.Errorf("a schedule of one takes %d bytes, want %d", len(schedule), want)
	}
	policy := packFinalizers(one, 1)
	// Threshold, count, description with length, weight, key with length.
	if want := 8 + 1 + 1 + 7 + 8 + 1 + p2pwire.FinalizerKeySize; len(policy) != want {
		t.Errorf("a policy of one takes %d bytes, want %d", len(policy), want)
	}
}
