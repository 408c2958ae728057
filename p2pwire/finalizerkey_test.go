package p2pwire_test

import (
	"errors"
	"strings"
	"testing"

	"bprelay/p2pwire"
)

// A key made by spring-util v1.2.2.
const blsKey = "PUB_BLS_FhHPqcLnZv-Pjwiz678ctUqLfEGQztNRoDsIDGg9LtVhdSMeFq8T5UI4APAQlnMRGhQ74La47Z7VgFyVbU7fHW0KYpO6WFhcAnKdZUl7FsWPIA1wPjTk8gCDaJej_C4Gonh4qA"

func TestParseFinalizerKey(t *testing.T) {
	key, err := p2pwire.ParseFinalizerKey(blsKey)
	if err != nil || key[0] != 0x16 || key[1] != 0x11 || key[95] != 0x06 {
		t.Fatalf("%x, %v", key, err)
	}
	if text := p2pwire.FinalizerKeyText(key); text != blsKey {
		t.Errorf("written as %s", text)
	}
	for _, bad := range []string{
		"", "PUB_BLS_", blsKey[:len(blsKey)-1], blsKey + "A", strings.Replace(blsKey, "Fh", "Gh", 1), strings.Replace(blsKey, "PUB", "PVT", 1),
		strings.TrimPrefix(blsKey, "PUB_BLS_"),
	} {
		if _, err := p2pwire.ParseFinalizerKey(bad); !errors.Is(err, p2pwire.ErrFinalizerKey) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
