package p2pwire

import (
	"errors"
	"testing"
)

func TestHeaderExtensions(t *testing.T) {
	key := make([]byte, K1KeySize)
	authority := append(append(make([]byte, 8), 0, 1, 0, 0, 0, 1), append(key, 1, 0)...)
	schedule := append([]byte{1, 0, 0, 0, 1}, authority...)
	claim := []byte{8, 0, 0, 0, 1}
	finalizer := append([]byte{0, 0, 3, 'a', 'b', 'c', 1, 0, 0, 0, 0, 0, 0, 0, FinalizerKeySize}, make([]byte, FinalizerKeySize)...)
	finalizers := append(append([]byte{1, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0}, 1), finalizer...)
	proposers := append(append([]byte{1, 7, 0, 0, 0, 100, 0, 0, 0, 1, 5, 0}, 1, 2, 0), authority...)
	full := append(append(append([]byte(nil), claim...), finalizers...), proposers...)
	join := func(parts ...[]byte) (out []byte) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	tests := []struct {
		name  string
		exts  []Extension
		field string
		want  error
	}{
		{"all three", []Extension{{0, append([]byte{1}, make([]byte, 32)...)}, {1, schedule}, {2, full}}, "", nil},
		{"claim only", []Extension{{2, join(claim, []byte{0, 0})}}, "", nil},
		{"finalizers only", []Extension{{2, join(claim, finalizers, []byte{0})}}, "", nil},
		{"bytes behind the last field", []Extension{{2, join(full, []byte{1, 2, 3})}}, "", nil},
		{"unknown", []Extension{{3, nil}}, "header_extensions", ErrExtension},
		{"falling", []Extension{{1, schedule}, {0, []byte{0}}}, "header_extensions", ErrExtension},
		{"twice", []Extension{{2, full}, {2, full}}, "header_extensions", ErrExtension},
		{"features cut", []Extension{{0, append([]byte{2}, make([]byte, 63)...)}}, "header_extensions.protocol_features", ErrExtension},
		{"authority variant", []Extension{{1, join([]byte{1, 0, 0, 0, 1}, make([]byte, 8), []byte{1}, make([]byte, 10))}}, "header_extensions.producer_schedule", ErrExtension},
		{"claim bool", []Extension{{2, []byte{8, 0, 0, 0, 2, 0, 0}}}, "header_extensions.qc_claim", ErrExtension},
		{"optional bool", []Extension{{2, join(claim, []byte{2, 0})}}, "header_extensions.new_finalizer_policy_diff", ErrExtension},
		{"key length", []Extension{{2, join(claim, []byte{1, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 95}, make([]byte, 120))}}, "header_extensions.new_finalizer_policy_diff", ErrExtension},
		{"hostile count", []Extension{{2, join(claim, []byte{1, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0x3f})}}, "header_extensions.new_finalizer_policy_diff", ErrExtension},
	}
	for n := range full {
		tests = append(tests, struct {
			name  string
			exts  []Extension
			field string
			want  error
		}{"finality cut", []Extension{{2, full[:n]}}, "", ErrExtension})
	}
	for _, tt := range tests {
		body, id := (&BlockBuilder{HeaderExtensions: tt.exts}).AppendBlock(nil)
		b, err := ParseBlock(body)
		if tt.want == nil {
			if err != nil || b.ID != id {
				t.Errorf("%s: %v", tt.name, err)
			} else if err := b.Check(new(Scratch)); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		var e *Error
		if !errors.Is(err, tt.want) || !errors.As(err, &e) || tt.field != "" && e.Field != tt.field {
			t.Errorf("%s: %v, want %v in %s", tt.name, err, tt.want, tt.field)
		}
	}
}

func TestLegacyNewProducers(t *testing.T) {
	body, _ := (&BlockBuilder{Previous: ID{3: 1}}).AppendBlock(nil)
	with := append([]byte(nil), body[:fixedHeader]...)
	with = append(with, 1, 5, 0, 0, 0, 1)
	with = append(append(with, make([]byte, 8)...), make([]byte, K1KeySize)...)
	with = append(with, body[fixedHeader+1:]...)
	b, err := ParseBlock(with)
	if err != nil || !b.NewProducers || b.HeaderEnd != fixedHeader+1+5+8+K1KeySize+1 {
		t.Fatalf("%v, %+v", err, b)
	}
	if err := b.Check(new(Scratch)); err != nil {
		t.Fatal(err)
	}
}
