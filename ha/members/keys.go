package members

import (
	"bytes"
	"slices"

	"github.com/hashicorp/memberlist"

	"bprelay/ha/creds"
)

// loadKeys reads the key file into a ring for memberlist.
func loadKeys(path string) (*memberlist.Keyring, error) {
	ring, err := creds.ReadKeyring(path)
	if err != nil {
		return nil, err
	}
	keys := ring.Keys()
	return memberlist.NewKeyring(keys, keys[0])
}

// changeKeys makes the ring in use what the file says: new keys first, so that at no time one is missing
// that both have. It reports whether anything changed.
func changeKeys(in *memberlist.Keyring, path string) (bool, error) {
	file, err := creds.ReadKeyring(path)
	if err != nil {
		return false, err
	}
	want := file.Keys()
	have := slices.Clone(in.GetKeys())
	if slices.EqualFunc(have, want, bytes.Equal) {
		return false, nil
	}
	for _, key := range want {
		if err := in.AddKey(key); err != nil {
			return true, err
		}
	}
	if err := in.UseKey(want[0]); err != nil {
		return true, err
	}
	// The last ones first: memberlist removes in place while it may be reading.
	for _, key := range slices.Backward(slices.Clone(in.GetKeys())) {
		if !slices.ContainsFunc(want, func(w []byte) bool { return bytes.Equal(w, key) }) {
			if err := in.RemoveKey(key); err != nil {
				return true, err
			}
		}
	}
	return !slices.EqualFunc(have, in.GetKeys(), bytes.Equal), nil
}
