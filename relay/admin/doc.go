// Package admin is the relay's HTTP side: health, status and metrics.
//
//	srv, err := admin.Listen("127.0.0.1:9880", admin.Config{Source: relay, Version: v})
//	defer srv.Close(ctx)
//
// It serves
//
//	/livez    200 if the event loop answers
//	/readyz   200 if the relay can do its job now; the JSON body says what is missing, and in "notes"
//	          what is worth knowing besides: whether a standby could take over
//	/status   core.Status as JSON
//	/slots    core.SlotReport as JSON: what happened with our slots. ?slot=N one of them, ?block=NUM
//	          those with a block of that number, ?last=N the last N (12 if nothing is asked, at most
//	          240). 400 if the question is wrong, 404 if there is no record; "error" and "key" say why
//	/active   200 on the relay that lets blocks out, 503 on a standby: for load balancers
//	/cluster  in a cluster, what this member knows of all: record.View as JSON
//	/metrics  Prometheus text, see METRICS.md
//
// and takes commands:
//
//	POST /drain?node=X[&force=true]   keep the node from leading, so that it can be stopped
//	POST /undrain?node=X              let it lead again
//	POST /lead?node=X[&force=true]    make it lead
//	POST /vote?member=X&votes=true    give a member of a quorum a vote; false ends it
//	POST /handover[?to=X][&now=true]  make another relay of the cluster active; 202 pending: when our run is over
//
// They answer with {"ok": true}, or "error" in words and "code": 404 no_such_node, 409 unsafe (it would
// cost blocks or votes; force insists), 422 not_possible, 400 bad_request, 503 loop_silent (it may
// still take effect). So that no page in a browser on this host can send one, they want the header
// "X-Bprelay: 1" or "Content-Type: application/json", and on loopback a Host that is localhost or an
// IP address; else 403 cross_site.
//
// Beside HTTP, [ListenAgent] answers HAProxy's agent-check: one line for each TCP connection, "ready up" on the
// relay that lets blocks out, "down #standby" or "down #stuck" elsewhere, "drain" on one that is about to end.
//
// There is no authentication: listen on loopback or behind something that has it. Everything is read
// from copies of the state that the event loop makes when asked, at most a few times a second however
// often it is asked here; nothing is counted or locked on the relay's hot path.
package admin
