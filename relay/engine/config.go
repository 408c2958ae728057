package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"bprelay/relay/core"
)

// Target is one configured peer: a nodeos of ours, or a peer in the network.
type Target struct {
	// Name identifies the peer in logs, metrics and towards the core; unique within its side.
	Name string
	// Dial is its address as host:port; empty means it is only accepted, never dialled.
	Dial string
	// From lists the hosts (IP addresses or names) it connects from, optionally; the host of Dial
	// always counts as well. Internal side only.
	From []string
	// Priority orders internal nodes; the larger is preferred.
	Priority int
	// API is the URL of its producer API, without a path, for core.ControlRequest; empty if there is
	// none. Internal side only.
	API string
}

// Config is what an Engine needs. Zero durations take the defaults named.
type Config struct {
	// Core configures the core. A zero Seed is filled from the system's secure source.
	Core core.Config
	// Journal, optionally, takes every claim before its block leaves; with it, Core.Claimer and
	// Core.VoteMarker are set by the engine. Whoever opened it closes it, after the engine.
	Journal Journal
	// Cluster, optionally, is the relay's place among others; with it, Core.Cluster and Core.Claimer are set
	// by the engine. Whoever made it ends it, after the engine.
	Cluster Cluster
	// Nodes are our own nodeos, Peers the network peers that are dialled.
	Nodes, Peers []Target
	// ListenInternal and ListenNetwork are the listening addresses as host:port; empty means none,
	// port 0 any free one. The internal listener takes only hosts named by Nodes, unless one of
	// these names no host at all; the network listener takes anyone the core has room for.
	ListenInternal, ListenNetwork string
	// DialTimeout bounds one attempt to connect, name resolution included (5 s).
	DialTimeout time.Duration
	// RedialNodeMin and RedialNodeMax bound the pauses between attempts to reach a node of ours
	// (100 ms, 2 s). The first attempt after a session has ended comes at once.
	RedialNodeMin, RedialNodeMax time.Duration
	// RedialNetworkMin and RedialNetworkMax bound the pauses between attempts to reach a network
	// peer (1 s, 1 min): they double from attempt to attempt.
	RedialNetworkMin, RedialNetworkMax time.Duration
	// RedialNodeJitter and RedialNetworkJitter are the fractions by which a pause is varied at
	// random, up or down; 0 is not at all.
	RedialNodeJitter, RedialNetworkJitter float64
	// APITimeout bounds one call of a node's producer API (500 ms).
	APITimeout time.Duration
	// FlushTimeout is how long Close waits until the other ends have acknowledged what was queued
	// (1 s); negative means that it does not wait.
	FlushTimeout time.Duration
	// ClockOffset is added to the wall clock: tests have clocks that are wrong.
	ClockOffset time.Duration
	// Logger takes the engine's log; nil takes slog.Default.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	dur := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	dur(&c.DialTimeout, 5*time.Second)
	dur(&c.RedialNodeMin, 100*time.Millisecond)
	dur(&c.RedialNodeMax, 2*time.Second)
	dur(&c.RedialNetworkMin, time.Second)
	dur(&c.RedialNetworkMax, time.Minute)
	dur(&c.APITimeout, 500*time.Millisecond)
	if c.FlushTimeout == 0 {
		c.FlushTimeout = time.Second
	}
	c.RedialNodeMax = max(c.RedialNodeMax, c.RedialNodeMin)
	c.RedialNetworkMax = max(c.RedialNetworkMax, c.RedialNetworkMin)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// check finds what cannot work; addresses are looked at, not resolved.
func (c Config) check() error {
	for _, side := range []struct {
		what    string
		targets []Target
	}{{"node", c.Nodes}, {"peer", c.Peers}} {
		seen := make(map[string]bool)
		for i, t := range side.targets {
			if t.Name == "" {
				return fmt.Errorf("%s %d has no name", side.what, i+1)
			}
			if seen[t.Name] {
				return fmt.Errorf("%s %q is configured twice", side.what, t.Name)
			}
			seen[t.Name] = true
			if err := checkAPI(t.API); err != nil {
				return fmt.Errorf("producer API of %s %q: %w", side.what, t.Name, err)
			}
			if t.Dial == "" {
				continue
			}
			if err := checkAddress(t.Dial, true); err != nil {
				return fmt.Errorf("address of %s %q: %w", side.what, t.Name, err)
			}
		}
	}
	for _, a := range []string{c.ListenInternal, c.ListenNetwork} {
		if a == "" {
			continue
		}
		if err := checkAddress(a, false); err != nil {
			return fmt.Errorf("listening address: %w", err)
		}
	}
	return nil
}

func checkAddress(address string, needHost bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if host == "" && needHost {
		return errors.New(address + ": missing host in address")
	}
	return nil
}

func checkAPI(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" {
		return errors.New(address + ": give http://host:port")
	}
	return nil
}
