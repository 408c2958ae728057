package engine
import "testing"
func BenchmarkAdhoc(b *testing.B) {
	for _, kind := range []string{"bare-goroutine", "hub"} {
		b.Run(kind, func(b *testing.B) {
			f := newForwarder(b, kind, 1<<20)
			b.SetBytes(4<<20)
			for b.Loop() {
				if err := f.pass(4); err != nil { b.Fatal(err) }
			}
		})
	}
}
