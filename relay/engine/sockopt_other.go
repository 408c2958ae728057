//go:build !linux

package engine

import "net"

// tune has nothing to set where TCP_USER_TIMEOUT and TCP_NOTSENT_LOWAT do not exist: keepalive alone
// finds dead links there.
func tune(*net.TCPConn) error { return nil }

// unacknowledged cannot be told here: a flush ends when the kernel has taken everything.
func unacknowledged(int) int { return 0 }
