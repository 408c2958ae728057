package nodeos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// disruption is something the test did on purpose: what sessions may end by it, and when.
type disruption struct {
	from, until time.Time
	node        string // whose sessions; "" = all the relay's
}

// covers reports whether a session of the node may end at a time. nodeos logs whole milliseconds.
func (d disruption) covers(node string, at time.Time) bool {
	return (d.node == "" || d.node == node) && !at.Before(d.from.Truncate(time.Millisecond)) && !at.After(d.until)
}

func excused(ds []disruption, node string, at time.Time) bool {
	for _, d := range ds {
		if d.covers(node, at) {
			return true
		}
	}
	return false
}

// relayLine is a line of the relay's log.
type relayLine struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Message string    `json:"msg"`
	Reason  string    `json:"reason"`
	Side    string    `json:"side"`
	Node    string    `json:"node"`
	Detail  string    `json:"detail"`
}

// relaySessions tells from the relay's log which sessions ended or came back between two times.
// problems are ends nobody asked for, and alarms.
func relaySessions(path string, from, until time.Time, ds []disruption) (reconnects int, problems []string, err error) {
	err = eachLine(path, func(line string) {
		var l relayLine
		if json.Unmarshal([]byte(line), &l) != nil {
			if strings.Contains(line, "panic") || strings.Contains(line, "fatal error") {
				problems = append(problems, "relay: "+line)
			}
			return
		}
		if l.Time.Before(from) || l.Time.After(until) {
			return
		}
		// Our own taps come and go as the relay does.
		switch {
		case l.Message == "session up" && l.Side == "internal":
			reconnects++
		case l.Message == "session down" && !excused(ds, l.Node, l.Time):
			problems = append(problems, fmt.Sprintf("relay: session of %s down at %s: %s", l.Node, l.Time.Format("15:04:05.000"), l.Reason))
		case l.Reason == "producer_api" && excused(ds, l.Node, l.Time):
			// A node that the test took away does not answer there either.
		case l.Level == "ERROR":
			problems = append(problems, "relay: "+line)
		}
	})
	return reconnects, problems, err
}

// nodeLine is what nodeos' default log format begins with: level and UTC time.
var nodeLine = regexp.MustCompile(`^(\w+)\s+(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})\s`)

// ends are words of net_plugin.cpp that tell of a connection's end or of its cause.
var ends = []string{
	"] closing", "closed connection", "go_away", "go away", "] heartbeat timed out", "not accepted", "max violations",
	"Exception in handling message", "Invalid vote", "bad block", "invalid QC claim", "message length unexpected",
	"Error reading message", "giving up on connection", "bad handshake", "Peer chain is forked",
	"Self connection", "different chain",
}

// nodeSessions tells from a node's log which of its sessions with the relay ended between two times
// without a disruption. Public nodes have other sessions, which are not looked at.
func nodeSessions(n *node, public bool, from, until time.Time, ds []disruption) (problems []string, err error) {
	err = eachLine(n.logPath, func(line string) {
		m := nodeLine.FindStringSubmatch(line)
		if m == nil || public && !strings.Contains(line, relayName+":") {
			return
		}
		at, err := time.Parse("2006-01-02T15:04:05.000", m[2])
		if err != nil || at.Before(from) || at.After(until) || excused(ds, n.name, at) {
			return
		}
		for _, word := range ends {
			if strings.Contains(line, word) {
				problems = append(problems, fmt.Sprintf("%s: %.300s", n.name, line))
				return
			}
		}
	})
	return problems, err
}

func eachLine(path string, do func(line string)) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read a log: %w", err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		do(s.Text())
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// sessions looks at all logs for the time of a scenario.
func (n *network) sessions(r *result, from, until time.Time, ds []disruption) error {
	reconnects, problems, err := relaySessions(n.relay.logPath, from, until, ds)
	if err != nil {
		return err
	}
	r.reconnects += reconnects
	r.problems = append(r.problems, problems...)
	for _, node := range n.nodes() {
		public := !slices.Contains(n.own, node)
		problems, err := nodeSessions(node, public, from, until, ds)
		if err != nil {
			return err
		}
		r.problems = append(r.problems, problems...)
	}
	return nil
}
