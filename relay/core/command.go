package core

// Drain keeps a node from leading and lets another one lead, outside our runs, so that it can be
// stopped at no cost. force does it now, whatever it costs.
func (c *Core) Drain(now Instant, node string, force bool) error { return nil }

// Undrain ends a drain.
func (c *Core) Undrain(now Instant, node string) error { return nil }

// SetLead makes a node lead, outside our runs; force does it now.
func (c *Core) SetLead(now Instant, node string, force bool) error { return nil }

// ControlRequests appends the calls wanted of the nodes' producer APIs to dst.
func (c *Core) ControlRequests(dst []ControlRequest) []ControlRequest { return dst }

// ControlDone brings the answer to a ControlRequest; err tells that the node's state is not known.
func (c *Core) ControlDone(now Instant, r ControlRequest, err error) {}

func (c *Core) takeoverStatus() TakeoverStatus { return TakeoverStatus{} }
