//go:build !linux

package nodeos

import "syscall"

func childOfTest() *syscall.SysProcAttr { return nil }
