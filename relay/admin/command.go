package admin

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"bprelay/relay/core"
)

// Commands are what an operator may tell the relay to do. The errors match core.ErrNoSuchNode,
// core.ErrUnsafe or core.ErrNotPossible where the core refuses.
type Commands interface {
	// Drain keeps a node from leading, so that it can be stopped at no cost.
	Drain(ctx context.Context, node string, force bool) error
	// Undrain ends that.
	Undrain(ctx context.Context, node string) error
	// SetLead makes a node lead.
	SetLead(ctx context.Context, node string, force bool) error
}

// Command names one of them, which is its path too.
type Command string

// The commands.
const (
	Drain   Command = "drain"
	Undrain Command = "undrain"
	Lead    Command = "lead"
)

// do carries it out.
func (c Command) do(ctx context.Context, to Commands, node string, force bool) error {
	switch c {
	case Drain:
		return to.Drain(ctx, node, force)
	case Undrain:
		return to.Undrain(ctx, node)
	default:
		return to.SetLead(ctx, node, force)
	}
}

// forced tells whether the command can be forced.
func (c Command) forced() bool { return c != Undrain }

func (c Command) keys() string {
	if c.forced() {
		return "node, force"
	}
	return "node"
}

// The codes of a command's answer.
const (
	CodeNoSuchNode  = "no_such_node" // 404
	CodeUnsafe      = "unsafe"       // 409: it would cost blocks or votes; force insists
	CodeNotPossible = "not_possible" // 422: force does not help
	CodeBadRequest  = "bad_request"  // 400
	CodeCrossSite   = "cross_site"   // 403: a page in somebody's browser may have sent it
	CodeSilent      = "loop_silent"  // 503: it may still take effect
	CodeFailed      = "failed"       // 500
)

// commandHeader, with any value, is what a page cannot send.
const commandHeader = "X-Bprelay"

// CommandAnswer is the body of the answer to a command.
type CommandAnswer struct {
	OK bool `json:"ok"`
	// Error says why not, in words, and Code in one.
	Error string `json:"error,omitempty"`
	Code  string `json:"code,omitempty"`
}

// command answers POST /drain, /undrain and /lead.
func command(w http.ResponseWriter, r *http.Request, what Command, to Commands, source *shared) {
	refuse := func(status int, code, why string) {
		answer(w, status, CommandAnswer{Error: why, Code: code})
	}
	if why := crossSite(r); why != "" {
		refuse(http.StatusForbidden, CodeCrossSite, why)
		return
	}
	node, force, err := commandQuery(r.URL.RawQuery, what)
	if err != nil {
		refuse(http.StatusBadRequest, CodeBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), loopTimeout)
	defer cancel()
	err = what.do(ctx, to, node, force)
	source.forget(ctx)
	switch {
	case err == nil:
		answer(w, http.StatusOK, CommandAnswer{OK: true})
	case errors.Is(err, core.ErrNoSuchNode):
		refuse(http.StatusNotFound, CodeNoSuchNode, err.Error())
	case errors.Is(err, core.ErrUnsafe):
		refuse(http.StatusConflict, CodeUnsafe, err.Error())
	case errors.Is(err, core.ErrNotPossible):
		refuse(http.StatusUnprocessableEntity, CodeNotPossible, err.Error())
	case ctx.Err() != nil:
		refuse(http.StatusServiceUnavailable, CodeSilent, loopSilent+"; the command may still take effect")
	default:
		refuse(http.StatusInternalServerError, CodeFailed, err.Error())
	}
}

func commandQuery(query string, what Command) (node string, force bool, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", false, errors.New("the query cannot be read")
	}
	for key, list := range values {
		switch {
		case len(list) != 1:
			return "", false, fmt.Errorf("%s is given twice", key)
		case key == "node":
			node = list[0]
		case key == "force" && what.forced():
			if force, err = strconv.ParseBool(list[0]); err != nil {
				return "", false, errors.New("force must be true or false")
			}
		default:
			return "", false, fmt.Errorf("unknown key %s; possible are %s", key, what.keys())
		}
	}
	if node == "" {
		return "", false, errors.New("node is missing")
	}
	return node, force, nil
}

// crossSite tells why a request may come from a page that somebody on this host looks at: there is no
// password here, but a page can neither set a header of its own nor send JSON without asking first,
// which nobody here answers. A page whose name was made to lead to this host afterwards need not ask,
// but its name stands in Host.
func crossSite(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Header.Get(commandHeader) == "" && (err != nil || kind != "application/json") {
		return "send the header " + commandHeader + ": 1, or Content-Type: application/json"
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return ""
	}
	if at, err := netip.ParseAddrPort(local.String()); err != nil || !at.Addr().Unmap().IsLoopback() {
		return ""
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if _, err := netip.ParseAddr(host); err != nil && !strings.EqualFold(host, "localhost") {
		return "on loopback, the request must be for localhost or an IP address, not for " + host
	}
	return ""
}
