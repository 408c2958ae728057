package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"bprelay/config"
)

// adminAddress is where to reach the relay's admin server: the address given, else the one of a
// configuration, else the default.
func adminAddress(path, given string) (string, error) {
	if given != "" {
		if _, port, err := net.SplitHostPort(given); err != nil || port == "" {
			return "", misused(fmt.Errorf("--admin: %q is not HOST:PORT", given))
		}
		return given, nil
	}
	if path == "" {
		return config.DefaultAdmin, nil
	}
	cfg, _, err := load(path)
	if err != nil {
		return "", err
	}
	if cfg.Admin.Listen == "" {
		return "", misused(errors.New("admin.listen is off in this configuration: the relay cannot be asked"))
	}
	return reachable(cfg.Admin.Listen), nil
}

// reachable turns an address to listen on into one to dial: all interfaces means this host.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
