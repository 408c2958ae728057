// Package relay puts the parts of a relay together: the core that decides, the engine that runs it
// on an event loop, the admin server that shows its state, and the log of its decisions.
//
//	r, err := relay.New(relay.Options{Engine: engineConfig, AdminListen: "127.0.0.1:9880"})
//	if err := r.Start(ctx); err != nil { ... }
//	<-ctx.Done()
//	err = r.Close(flushCtx)
package relay
