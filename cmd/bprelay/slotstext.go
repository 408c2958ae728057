package main

import (
	"encoding/json"
	"io"
	"strings"

	"bprelay/relay/core"
	"bprelay/relay/explain"
)

// slotsText is a report on slots as explain shows it.
type slotsText struct {
	query  core.SlotQuery
	report core.SlotReport
}

// WriteText writes what happened, slot by slot. Asked for several, it spares the stories of those
// that went well.
func (s slotsText) WriteText(w io.Writer) error {
	var lines []string
	for i := range s.report.Slots {
		r := &s.report.Slots[i]
		if s.query.Last > 1 && explain.Good(r) {
			lines = append(lines, explain.Headline(r))
		} else {
			lines = append(lines, explain.Slot(r)...)
		}
	}
	if len(lines) == 0 {
		lines = append(lines, explain.Missing(s.query, &s.report))
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// MarshalJSON is the report as the relay gave it.
func (s slotsText) MarshalJSON() ([]byte, error) { return json.Marshal(s.report) }
