package admin

import (
	"bytes"
	"errors"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

var update = flag.Bool("update", false, "write METRICS.md")

func TestMetrics(t *testing.T) {
	text := get(t, &fakeSource{status: readyStatus()}, http.MethodGet, "/metrics").Body.String()
	for _, want := range []string{
		`bprelay_up 1`,
		`bprelay_sessions{side="internal",state="ready"} 2`,
		`bprelay_sessions{side="network",state="ready"} 1`,
		`bprelay_sessions{side="network",state="handshaking"} 1`,
		`bprelay_frames_total{direction="in",side="network",type="signed_block"} 21`,
		`bprelay_frame_bytes_total{direction="in",side="network",type="signed_block"} 2100`,
		`bprelay_frames_total{direction="out",side="internal",type="vote_message"} 22`,
		`bprelay_frames_total{direction="out",side="network",type="go_away_message"} 0`,
		`bprelay_own_blocks_total{decision="forwarded",reason="claimed"} 12`,
		`bprelay_own_blocks_total{decision="withheld",reason="slot_taken"} 11`,
		`bprelay_own_blocks_total{decision="held",reason="older_parent"} 3`,
		`bprelay_own_slots_total{outcome="lost"} 37`,
		`bprelay_own_slots_total{outcome="public"} 0`,
		`bprelay_conflicts_total 11`,
		`bprelay_dropped_total{reason="duplicate"} 31`,
		`bprelay_sessions_closed_total{reason="idle"} 32`,
		`bprelay_alarms_total{reason="unknown_key"} 33`,
		`bprelay_dials_failed_total{side="network"} 34`,
		`bprelay_queue_bytes{side="internal"} 100`,
		`bprelay_queue_bytes{side="network"} 7`,
		`bprelay_log_events_dropped_total 41`,
		`bprelay_public_head_number 305`,
		// Slot 2000 is 1000 s after 2000-01-01T00:00:00Z, 946684800.
		`bprelay_public_head_timestamp_seconds 9.466858e+08`,
		`bprelay_lead{node="node-a"} 1`,
		`bprelay_own_slots_missed_total 37`,
		`bprelay_own_blocks_late_total 38`,
		`bprelay_own_block_lead_seconds_sum 0.004`,
		`bprelay_node_own_block_arrival_seconds{node="node-a"} -0.04`,
		`bprelay_node_own_block_due_seconds{index="11",node="node-a"} -0.45`,
		`bprelay_clock_offset_seconds -0.003`,
		`bprelay_clock_sources 5`,
		`bprelay_clock_trusted 1`,
		`bprelay_node_round_trip_seconds{node="node-a"} 0.00025`,
		// Two of three within 100 us, the third beyond the last bound.
		`bprelay_own_block_added_latency_seconds_bucket{le="1e-05"} 0`,
		`bprelay_own_block_added_latency_seconds_bucket{le="2.5e-05"} 1`,
		`bprelay_own_block_added_latency_seconds_bucket{le="0.0001"} 2`,
		`bprelay_own_block_added_latency_seconds_bucket{le="0.25"} 2`,
		`bprelay_own_block_added_latency_seconds_bucket{le="+Inf"} 3`,
		`bprelay_own_block_added_latency_seconds_count 3`,
		`bprelay_own_block_added_latency_seconds_sum 0.40011`,
		`bprelay_takeover_info{configured="auto",mode="leash"} 1`,
		`bprelay_takeover_releases_total 61`,
		`bprelay_lead_changes_total 62`,
		`bprelay_node_state{node="node-a",state="lead"} 1`,
		`bprelay_node_state{node="node-a",state="armed"} 0`,
		`bprelay_node_state{node="node-b",state="armed"} 1`,
		`bprelay_node_state{node="node-b",state="cannot_be_held"} 0`,
		`bprelay_node_reserve_votes{node="node-b"} 8`,
		`bprelay_own_block_claim_seconds_sum 0.0009`,
		`bprelay_cluster_role{role="active"} 1`,
		`bprelay_cluster_role{role="standby"} 0`,
		`bprelay_cluster_epoch 72`,
		`bprelay_cluster_term 73`,
		`bprelay_cluster_leader 1`,
		`bprelay_cluster_linked 1`,
		`bprelay_cluster_member_up{member="b"} 1`,
		`bprelay_cluster_member_up{member="w"} 0`,
		`bprelay_cluster_takeovers_total 74`,
		`bprelay_cluster_answer_seconds_bucket{le="0.0005"} 0`,
		`bprelay_cluster_answer_seconds_bucket{le="0.00075"} 1`,
		`bprelay_journal_complete 1`,
		`bprelay_journal_complete_at_start 0`,
		`bprelay_journal_bytes 51`,
		`bprelay_journal_errors_total 52`,
		`bprelay_journal_unrecorded_total 53`,
		`bprelay_journal_write_seconds_bucket{le="0.001"} 4`,
		`bprelay_journal_write_seconds_bucket{le="0.01"} 9`,
		`bprelay_journal_write_seconds_bucket{le="+Inf"} 15`,
		`bprelay_journal_write_seconds_sum 7.5`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, "10.0.0.12") || strings.Contains(text, "192.0.2") {
		t.Error("an address became a label: their number has no bound")
	}
	for _, m := range newFamilies().list() {
		if !strings.Contains(text, "# TYPE "+m.name+" "+m.kindName()+"\n") {
			t.Errorf("%s (%s) is not served", m.name, m.kindName())
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "bprelay_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestMetricsWhenStuck(t *testing.T) {
	w := get(t, &fakeSource{err: errors.New("stuck")}, http.MethodGet, "/metrics")
	text := w.Body.String()
	if w.Code != 200 || !strings.Contains(text, "\nbprelay_up 0\n") || strings.Contains(text, "bprelay_frames_total") {
		t.Errorf("%d\n%s", w.Code, text)
	}
}

func TestMetricsDoc(t *testing.T) {
	const name = "METRICS.md"
	want := []byte(metricsDoc())
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s has drifted from the code: go generate ./relay/admin", name)
	}
}
