package demo

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"bprelay/relay/core"
	"bprelay/test/simnet"
)

// Kill says which of our nodes is killed now and then.
type Kill string

// The values of Options.Kill.
const (
	KillNone   Kill = "none"
	KillLeader Kill = "leader" // the node whose blocks go out
	KillRandom Kill = "random"
	KillRelay  Kill = "relay" // the active one of several relays, in our rounds
	KillBoth   Kill = "both"  // the active relay together with the node that leads
)

// relay tells whether relays are killed.
func (k Kill) relay() bool { return k == KillRelay || k == KillBoth }

// Options say what is shown, and for how long.
type Options struct {
	// Duration is how long it runs; at least a few seconds pass before our first round.
	Duration time.Duration
	// Nodes is how many of our nodes there are; zero means 3.
	Nodes int
	// Relays is how many relays there are: 1, in this process, or 2 or 3, each in a process of its own; zero
	// means 1, and with a Mode 2.
	Relays int
	// Mode is how several relays act as one: "pair", or "quorum", where two have a witness beside them. Empty
	// means what fits their number.
	Mode string
	// Preset is how far apart the members believe to be: "local", "lan" or "wan". Empty means local, and
	// with a quorum lan: a busy machine makes a leader miss a heartbeat of 48 ms now and then.
	Preset string
	// RelayCommand is the command line that runs one of several members; the path of its configuration file is
	// added. The process reports by a [Reporter] on its stdout, and ends when its stdin does.
	RelayCommand []string
	// Dir is where several members have their configuration, credentials, state and logs, which stay there; it
	// is made if need be. Empty means a temporary one.
	Dir string
	// Takeover is how one node takes over from another: "race", "leash", "api" or "auto". Empty means leash
	// where there can be one, and race on a legacy chain and with one node.
	Takeover string
	// Kill says who is killed; KillRelay and KillBoth need several relays. Empty means KillNone.
	Kill Kill
	// Chain is "savanna" or "legacy"; empty means savanna.
	Chain string
	// Seed decides the keys, the order of events that is up to us, and when who is killed; sockets and
	// the scheduler do the rest, so that two runs are alike but not equal. Zero draws one.
	Seed uint64
	// Admin is the host:port of the relay's admin server; empty: none. Of several relays it is the first one's;
	// ports that are free serve the others, and the first one if it is empty.
	Admin string
	// View is where the live view is written; nil shows nothing.
	View io.Writer
	// Terminal makes the view use a terminal's control sequences.
	Terminal bool

	// lead is the least time from the start to our first round; zero means what the course says.
	lead time.Duration
	// rounds, if not zero, ends the run after so many own rounds instead of after Duration.
	rounds int
	// eager has nodes die in our first round already, ready or not.
	eager bool
}

// ErrOptions is matched by the error for options that cannot work.
var ErrOptions = errors.New("bad demo options")

// What Options.Takeover may be.
var (
	takeoverRace  = core.TakeoverRace.String()
	takeoverLeash = core.TakeoverLeash.String()
	takeoverAPI   = core.TakeoverAPI.String()
	takeoverAuto  = core.TakeoverAuto.String()

	takeovers = []string{takeoverRace, takeoverLeash, takeoverAPI, takeoverAuto}
	presets   = []string{"local", "lan", "wan"}
	kills     = []Kill{KillNone, KillLeader, KillRandom, KillRelay, KillBoth}
)

// What Options.Mode may be.
const (
	modePair   = "pair"
	modeQuorum = "quorum"
)

const (
	maxNodes    = 16
	maxRelays   = 3
	maxDuration = 24 * time.Hour
)

func (o Options) withDefaults() (Options, error) {
	def(&o.Nodes, 3)
	if o.Relays == 0 && o.Mode != "" {
		o.Relays = 2
	}
	def(&o.Relays, 1)
	switch {
	case o.Mode != "":
	case o.Relays == 2:
		o.Mode = modePair
	case o.Relays > 2:
		o.Mode = modeQuorum
	}
	if o.Preset == "" && o.Mode == modeQuorum {
		o.Preset = "lan"
	}
	def(&o.Preset, "local")
	def(&o.Kill, KillNone)
	def(&o.Chain, simnet.Savanna.String())
	if o.Takeover == "" {
		o.Takeover = takeoverLeash
		if o.mode() == simnet.Legacy || o.Nodes == 1 {
			o.Takeover = takeoverRace
		}
	}
	def(&o.lead, o.course().lead)
	if o.View == nil {
		o.View = io.Discard
	}
	for o.Seed == 0 {
		o.Seed = uint64(rand.Uint32()) // short enough to be typed in again
	}
	switch {
	case !slices.Contains(takeovers, o.Takeover):
		return o, fmt.Errorf("%w: takeover %q: possible are %s", ErrOptions, o.Takeover, strings.Join(takeovers, ", "))
	case !slices.Contains(kills, o.Kill):
		return o, fmt.Errorf("%w: kill %q: possible are none, leader, random, and with several relays relay, both", ErrOptions, o.Kill)
	case o.Relays < 1 || o.Relays > maxRelays:
		return o, fmt.Errorf("%w: %d relays: possible are 1 to %d", ErrOptions, o.Relays, maxRelays)
	case o.Mode != "" && o.Mode != modePair && o.Mode != modeQuorum:
		return o, fmt.Errorf("%w: mode %q: possible are pair, quorum", ErrOptions, o.Mode)
	case !slices.Contains(presets, o.Preset):
		return o, fmt.Errorf("%w: preset %q: possible are %s", ErrOptions, o.Preset, strings.Join(presets, ", "))
	case o.Mode == modePair && o.Relays != 2, o.Mode == modeQuorum && o.Relays < 2:
		return o, fmt.Errorf("%w: mode %s with %d relays: a pair has 2, a quorum 2 and a witness, or 3", ErrOptions, o.Mode, o.Relays)
	case o.Relays == 1 && o.Kill.relay():
		return o, fmt.Errorf("%w: kill %s: with one relay there is none to take over; give two", ErrOptions, o.Kill)
	case o.Relays > 1 && len(o.RelayCommand) == 0:
		return o, fmt.Errorf("%w: %d relays, and no command that runs one", ErrOptions, o.Relays)
	case o.Chain != simnet.Savanna.String() && o.Chain != simnet.Legacy.String():
		return o, fmt.Errorf("%w: chain %q: possible are savanna, legacy", ErrOptions, o.Chain)
	case o.Nodes < 1 || o.Nodes > maxNodes:
		return o, fmt.Errorf("%w: %d nodes: 1 to %d are possible", ErrOptions, o.Nodes, maxNodes)
	case o.Takeover == takeoverLeash && o.mode() == simnet.Legacy:
		return o, fmt.Errorf("%w: takeover leash: a legacy chain has no votes to withhold; possible are race, api, auto", ErrOptions)
	case (o.Takeover == takeoverLeash || o.Takeover == takeoverAPI) && o.Nodes == 1:
		return o, fmt.Errorf("%w: takeover %s: with one node there is none to take over; possible are race, auto", ErrOptions, o.Takeover)
	case o.rounds == 0 && (o.Duration <= 0 || o.Duration > maxDuration):
		return o, fmt.Errorf("%w: duration %v: more than 0 and at most %v are possible", ErrOptions, o.Duration, maxDuration)
	}
	return o, nil
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (o Options) mode() simnet.Mode {
	if o.Chain == simnet.Legacy.String() {
		return simnet.Legacy
	}
	return simnet.Savanna
}
