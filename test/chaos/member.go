//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"bprelay/ha/creds"
	"bprelay/p2pwire"
	"bprelay/relay/admin"
	"bprelay/test/rig"
)

// Ports of a member, on its own address.
const (
	networkPort = "9876"
	linkPort    = "9870"
	gossipPort  = "7946"
	adminPort   = "8765"
)

// member is one of the cluster: a process of the real program in a network namespace of its own.
type member struct {
	name, ns, ip string
	witness      bool
	binary       string
	config, log  string // files
	state        string // directory
	offset       time.Duration

	cmd      *exec.Cmd
	ended    chan struct{} // nil: it was never started
	expected bool          // its end
}

func (m *member) admin() string { return m.ip + ":" + adminPort }

// start runs the process, which ends with this one.
func (m *member) start() error {
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"netns", "exec", m.ns, m.binary, "run", "-c", m.config}
	if m.offset != 0 {
		args = append(args, "--clock-offset", m.offset.String())
	}
	cmd := exec.Command("ip", args...)
	cmd.Stdout, cmd.Stderr = log, log
	// What overrides a configuration is not meant for this one.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "BPRELAY_") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	m.cmd, m.ended, m.expected = cmd, make(chan struct{}), false
	failed := make(chan error)
	go func() {
		// The kernel takes the thread that started a process for its parent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		failed <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
		close(m.ended)
	}()
	if err := <-failed; err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	return nil
}

func (m *member) up() bool {
	if m.ended == nil {
		return false
	}
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// signal sends a signal; one that ends the process is expected to.
func (m *member) signal(s syscall.Signal) {
	if s == syscall.SIGKILL || s == syscall.SIGTERM {
		m.expected = true
	}
	if m.up() {
		_ = m.cmd.Process.Signal(s) // it may have ended meanwhile
	}
}

// crashed tells whether it ended by itself, and with what words.
func (m *member) crashed() (string, bool) {
	if m.ended == nil || m.expected || m.up() {
		return "", false
	}
	const lines = 12
	text, err := os.ReadFile(m.log)
	if err != nil {
		return err.Error(), true
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n"), true
}

func (m *member) status(ctx context.Context) (admin.StatusReport, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return admin.AskStatus(ctx, m.admin())
}

// end ends it, cleanly if it can.
func (m *member) end(within time.Duration) error {
	if !m.up() {
		return nil
	}
	m.signal(syscall.SIGCONT)
	m.signal(syscall.SIGTERM)
	select {
	case <-m.ended:
		return nil
	case <-time.After(within):
	}
	m.signal(syscall.SIGKILL)
	<-m.ended
	return errors.New(m.name + " did not end by SIGTERM")
}

// configure writes the member's file, as an operator would.
func (w *world) configure(m *member) error {
	var list []map[string]string
	for _, x := range w.members {
		entry := map[string]string{"name": x.name, "link": x.ip + ":" + linkPort, "gossip": x.ip + ":" + gossipPort}
		if x.witness {
			entry["role"] = "witness"
		}
		// Each relay finds the others where a way to them can be made slow.
		if p := w.proxies[[2]*member{m, x}]; p != nil {
			entry["link"] = p.listener.Addr().String()
		}
		list = append(list, entry)
	}
	keys := filepath.Join(w.dir, "credentials")
	file := map[string]any{
		"chain_id": w.chain.ID().String(), "state_dir": m.state,
		"log": map[string]any{"format": "json", "level": w.level},
		"cluster": map[string]any{
			"mode": string(w.mode), "name": m.name, "members": list, "preset": "lan", "priority_member": w.members[0].name,
			"listen_link": m.ip + ":" + linkPort, "listen_gossip": m.ip + ":" + gossipPort,
			"gossip_key_file": filepath.Join(keys, creds.GossipFile),
			"credentials": map[string]string{
				"ca": filepath.Join(keys, creds.CAFile), "cert": filepath.Join(keys, creds.CertFile(m.name)), "key": filepath.Join(keys, creds.KeyFile(m.name)),
			},
		},
	}
	if !m.witness {
		file["admin"] = map[string]any{"listen": m.admin()}
		file["listen"] = map[string]any{"network": m.ip + ":" + networkPort}
		file["takeover"], file["vote_timeout"] = "leash", rig.VoteTimeout.String()
		file["producers"] = []any{map[string]any{
			"name": rig.Ours, "keys": []string{w.chain.ProducerKey(rig.Ours).String()},
			"finalizer_keys": []string{p2pwire.FinalizerKeyText(w.chain.FinalizerKey(rig.Ours).Pub)},
		}}
		var nodes, peers []map[string]string
		for i, x := range w.nodes {
			role := "producer"
			if x.Name() == rig.Voter {
				role = "finalizer"
			}
			nodes = append(nodes, map[string]string{"name": x.Name(), "dial": nodeAddress(i), "role": role})
		}
		for i, name := range rig.Others() {
			peers = append(peers, map[string]string{"name": name, "dial": producerAddress(i)})
		}
		file["nodes"], file["network"] = nodes, map[string]any{"peers": peers}
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		return fmt.Errorf("configuration of %s: %w", m.name, err)
	}
	return os.WriteFile(m.config, text, 0o600)
}

func nodeAddress(i int) string     { return fmt.Sprintf("%s:%d", nodesIP, 9876+i) }
func producerAddress(i int) string { return fmt.Sprintf("%s:%d", networkIP, 9876+i) }
