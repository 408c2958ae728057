package link

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// tcpClose is the state of a connection that a reset ended.
const tcpClose = 7

// isReset reports whether the other side has reset a connection: its bytes can still be read.
func isReset(c net.Conn) bool {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return false // tests
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return true
	}
	reset := true
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		reset = err != nil || info.State == tcpClose
	})
	return err != nil || reset
}

// tune prepares a socket: no delay, no keepalive of the system's (the heartbeat is ours), and bytes
// that nobody acknowledged within timeout end the connection.
func tune(c net.Conn, timeout time.Duration) error {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil // tests
	}
	if err := tcp.SetNoDelay(true); err != nil {
		return err
	}
	if err := tcp.SetKeepAlive(false); err != nil {
		return err
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(timeout.Milliseconds()))
	})
	if err != nil {
		return err
	}
	return failed
}
