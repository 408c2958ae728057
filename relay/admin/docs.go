package admin

import (
	"fmt"
	"strings"
)

//go:generate go test -run TestMetricsDoc -update .

// metricsDoc is METRICS.md.
func metricsDoc() string {
	var b strings.Builder
	b.WriteString("# Metrics\n\n")
	b.WriteString("Generated from `metrics.go` (`go generate ./relay/admin`); a test fails when it drifts.\n")
	b.WriteString("Served at `/metrics`, together with the Go runtime's `go_*` and the process's `process_*`.\n\n")
	b.WriteString("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n")
	for _, m := range newFamilies().list() {
		labels := make([]string, len(m.labels))
		for i, l := range m.labels {
			labels[i] = "`" + l + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.kindName(), strings.Join(labels, " "), m.help)
	}
	b.WriteString("\nThe label `reason` takes its values from the catalogue of reasons: [REASONS.md](../REASONS.md).\n")
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
