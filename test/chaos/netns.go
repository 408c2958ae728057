//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// Addresses within a run's namespaces, which are the same in all runs.
const (
	networkIP = "10.77.0.1" // the network's producers, the observer, and this program
	nodesIP   = "10.77.0.2" // our nodes
	proxyIP   = "10.77.0.3" // stands for the other relay, where the way to it is delayed
	subnet    = "/24"
)

// memberIP is the address of a member's namespace, by number from 0.
func memberIP(i int) string { return fmt.Sprintf("10.77.0.%d", 11+i) }

// nsPrefix begins the names of all namespaces; this process' id follows.
const nsPrefix = "bpchaos"

// nsName is the hub's namespace of a run (member -1), or a member's.
func nsName(run, member int) string {
	if member < 0 {
		return fmt.Sprintf("%s-%d-%d-hub", nsPrefix, os.Getpid(), run)
	}
	return fmt.Sprintf("%s-%d-%d-m%d", nsPrefix, os.Getpid(), run, member)
}

// command runs a program, with what it complained of in the error.
func command(ctx context.Context, stdin, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// makeNamespaces makes a run's: a bridge in the hub, and each member's host on it.
//
//	hub: br0 10.77.0.1, .2, .3 ─ port0 ─ m0: eth0 10.77.0.11
//	                           ─ port1 ─ m1: eth0 10.77.0.12
func makeNamespaces(ctx context.Context, run, members int) error {
	hub := nsName(run, -1)
	steps := []string{
		"netns add " + hub,
		"-n " + hub + " link set lo up",
		"-n " + hub + " link add br0 type bridge",
		"-n " + hub + " link set br0 up",
	}
	for _, ip := range []string{networkIP, nodesIP, proxyIP} {
		steps = append(steps, "-n "+hub+" addr add "+ip+subnet+" dev br0")
	}
	for i := range members {
		ns, port := nsName(run, i), "port"+strconv.Itoa(i)
		steps = append(steps,
			"netns add "+ns,
			"link add "+port+" netns "+hub+" type veth peer name eth0 netns "+ns,
			"-n "+hub+" link set "+port+" master br0 up",
			"-n "+ns+" addr add "+memberIP(i)+subnet+" dev eth0",
			"-n "+ns+" link set lo up",
			"-n "+ns+" link set eth0 up",
		)
	}
	for _, s := range steps {
		if err := command(ctx, "", "ip", strings.Fields(s)...); err != nil {
			return err
		}
	}
	return nil
}

// removeNamespaces ends what runs in a run's namespaces, and removes them. It may be called for what was
// never made.
func removeNamespaces(run, members int) error {
	var all error
	for i := -1; i < members; i++ {
		all = errors.Join(all, removeNamespace(nsName(run, i)))
	}
	return all
}

func removeNamespace(name string) error {
	ctx := context.Background()
	pids, err := exec.CommandContext(ctx, "ip", "netns", "pids", name).Output()
	if err != nil {
		return nil //nolint:nilerr // there is none of that name
	}
	for _, text := range strings.Fields(string(pids)) {
		if pid, err := strconv.Atoi(text); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
		}
	}
	return command(ctx, "", "ip", "netns", "del", name)
}

// sweep removes what earlier ones left behind that were killed.
func sweep() error {
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return fmt.Errorf("ip netns list: %w", err)
	}
	var all error
	for _, line := range strings.Split(string(out), "\n") {
		name, _, _ := strings.Cut(line, " ")
		parts := strings.Split(name, "-")
		if len(parts) != 4 || parts[0] != nsPrefix {
			continue
		}
		if pid, err := strconv.Atoi(parts[1]); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			all = errors.Join(all, removeNamespace(name))
		}
	}
	return all
}

// flow is a direction in which packets go.
type flow struct{ from, to string }

// firewall drops packets on the bridge: neither end is told.
type firewall struct{ dropped []flow }

// rules is the whole table, which replaces the one before at once.
func (f *firewall) rules() string {
	var b strings.Builder
	b.WriteString("add table bridge chaos\nflush table bridge chaos\n")
	// What comes in by a port passes the first, what this host itself sends the second.
	for _, chain := range []string{"prerouting", "output"} {
		fmt.Fprintf(&b, "add chain bridge chaos %[1]s { type filter hook %[1]s priority 0; policy accept; }\n", chain)
		for _, d := range f.dropped {
			fmt.Fprintf(&b, "add rule bridge chaos %s ip saddr %s ip daddr %s drop\n", chain, d.from, d.to)
		}
	}
	return b.String()
}

// set makes it drop just that. It is called in the hub's namespace.
func (f *firewall) set(ctx context.Context, dropped ...flow) error {
	f.dropped = dropped
	return command(ctx, f.rules(), "nft", "-f", "-")
}

// both are the two directions.
func both(a, b string) []flow { return []flow{{a, b}, {b, a}} }
