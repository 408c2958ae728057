package nodeos

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Ports are taken from below the range the kernel gives to outgoing connections (32768 and up on
// Linux): a node that is down for a while must find its port free when it comes back.
const firstPort, lastPort = 20000, 29999

// ports hands out free TCP ports, each one once.
type ports struct{ next, left int }

// newPorts begins at a place that depends on the process, so that two runs seldom meet.
func newPorts() *ports {
	span := lastPort - firstPort + 1
	return &ports{next: firstPort + os.Getpid()*100%span, left: span}
}

// take returns a port that is free on all loopback addresses used here.
func (p *ports) take() (int, error) {
	for ; p.left > 0; p.left-- {
		port := p.next
		if p.next++; p.next > lastPort {
			p.next = firstPort
		}
		if free(port) {
			p.left--
			return port, nil
		}
	}
	return 0, errors.New("find a free port: none left")
}

func free(port int) bool {
	for _, host := range []string{hostOthers, hostOurs} {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, port))
		if errors.Is(err, syscall.EADDRINUSE) {
			return false
		}
		if err == nil {
			_ = l.Close()
		}
	}
	return true
}
