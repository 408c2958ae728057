package nodeos

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"bprelay/p2pwire"
)

// leadChange is a line of the relay's log: another node leads.
type leadChange struct {
	at           time.Time
	node, reason string
}

// leadChanges reads those between two times.
func leadChanges(path string, from, until time.Time) (list []leadChange, err error) {
	err = eachLine(path, func(line string) {
		if !strings.Contains(line, `"another node leads"`) {
			return
		}
		var l relayLine
		if json.Unmarshal([]byte(line), &l) == nil && !l.Time.Before(from) && l.Time.Before(until) {
			list = append(list, leadChange{l.Time, l.Node, l.Reason})
		}
	})
	return list, err
}

// producedBlock is a block that a node says it signed.
type producedBlock struct {
	slot p2pwire.Slot
	id   string // digits 8 to 23 of the id
}

func (b producedBlock) is(id p2pwire.ID) bool { return id.String()[8:24] == b.id }

// producedLine is logged by controller.cpp.
var producedLine = regexp.MustCompile(`Produced block ([0-9a-f]{16})\.\.\. #\d+ @ (\S+) signed by`)

// produced reads which blocks a node says it signed, for the slots from first until before last.
func produced(path string, first, last p2pwire.Slot) (list []producedBlock, err error) {
	err = eachLine(path, func(line string) {
		m := producedLine.FindStringSubmatch(line)
		if m == nil {
			return
		}
		var t chainTime
		if t.UnmarshalText([]byte(m[2])) != nil {
			return
		}
		if s := t.slot(); s >= first && s < last {
			list = append(list, producedBlock{s, m[1]})
		}
	})
	return list, err
}

// forkSwitches are the lines in which a node says that it left a branch.
func forkSwitches(path string, from, until time.Time) (list []string, err error) {
	err = eachLine(path, func(line string) {
		if !strings.Contains(line, "switching forks") {
			return
		}
		m := nodeLine.FindStringSubmatch(line)
		if m == nil {
			return
		}
		at, err := time.Parse("2006-01-02T15:04:05.000", m[2])
		if err == nil && !at.Before(from) && at.Before(until) {
			list = append(list, line)
		}
	})
	return list, err
}
