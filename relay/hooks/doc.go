// Package hooks runs the operator's commands when something happens that a person, or a script that
// switches keys, should know of at once.
//
//	h := hooks.New(hooks.Config{OnLeadChange: []string{"/usr/local/bin/notify", "lead"}})
//	h.Start()
//	defer h.Close(ctx)     // h is a core.Observer meanwhile
//
// A command is a program and its arguments; no shell is involved. It runs beside the event loop, one
// run of a hook at a time, in the order of what happened. Eight more may wait; then the oldest is
// given up, with a warning: what holds now counts more than what was. A run that takes longer than
// Timeout is sent SIGTERM and 2 s later SIGKILL, with all its process group. Its standard input is
// empty, and of what it writes the first 4 KiB are logged when it fails.
//
// It gets the relay's own environment, and on top, always all of them, empty where nothing applies:
//
//	BPRELAY_EVENT          lead_change, finalizer_silent or role_change
//	BPRELAY_NODE           the node that leads now; of finalizer_silent the node, if it is known
//	BPRELAY_PREVIOUS_NODE  the node that led before
//	BPRELAY_REASON         why, from the catalogue of reasons
//	BPRELAY_DETAIL         the same in words
//	BPRELAY_PRODUCER       the own producer it is about, if it is about one
//	BPRELAY_ROLE           of role_change: active or standby
//	BPRELAY_EPOCH          of role_change: the number of the reign
//	BPRELAY_TIME           when it happened, by the relay's clock: RFC 3339, UTC
package hooks
