package probe

import (
	"context"
	"time"
)

// Run probes one peer. What is wrong with the peer stands in the report; an error means that the
// probe itself could not be made: bad options (see [ErrOptions]) or ctx done.
func Run(ctx context.Context, o Options) (*Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Report{Address: o.Address, Messages: map[string]int{}, Findings: []Finding{}}
	deadline := time.Now().Add(o.Timeout)
	dialled, cancel := context.WithDeadline(ctx, deadline)
	start := time.Now()
	conn, err := o.Dial(dialled, o.Address)
	cancel()
	if ctx.Err() != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, ctx.Err()
	}
	if err != nil {
		r.unreachable(err)
		return r, nil
	}
	r.Connected, r.ConnectMs, r.Remote = true, ms(time.Since(start)), conn.RemoteAddr().String()
	d := newDialogue(conn, &o, r)
	defer d.close()
	d.run(ctx, deadline)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	d.judge()
	return r, nil
}
