package admin

import (
	"fmt"
	"strings"

	"bprelay/relay/core"
)

//go:generate go test -run TestMetricsDoc -update .

// metricsDoc is METRICS.md.
func metricsDoc() string {
	var b strings.Builder
	b.WriteString("# Metrics\n\n")
	b.WriteString("Generated from `metrics.go` and the core's reasons (`go generate ./relay/admin`); a test fails when it drifts.\n")
	b.WriteString("Served at `/metrics`, together with the Go runtime's `go_*` and the process's `process_*`.\n\n")
	b.WriteString("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n")
	for _, m := range newFamilies().list() {
		labels := make([]string, len(m.labels))
		for i, l := range m.labels {
			labels[i] = "`" + l + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.kindName(), strings.Join(labels, " "), m.help)
	}
	b.WriteString("\n## Reasons\n\nValues of the label `reason`, and of `reason` in logs and `/status`.\n\n")
	b.WriteString("| reason | meaning |\n| --- | --- |\n")
	for _, r := range core.Reasons() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", r, r.Help())
	}
	return b.String()
}

func (m *metric) kindName() string {
	switch m.kind {
	case counter:
		return "counter"
	case gauge:
		return "gauge"
	}
	return "histogram"
}
