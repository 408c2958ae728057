package nodeos

import "syscall"

// childOfTest makes the kernel kill a process when the test's is gone, as after a timeout.
func childOfTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
