// Command bprelay runs a relay between a block producer's nodeos and the network, and has the tools
// to set one up: see README.md, COMMANDS.md and `bprelay help`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// The first signal asks for a clean end; after that the default holds again, so a second one
	// ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
