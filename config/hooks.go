package config

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// hookVariables are the environment variables that hooks get. They look like overrides of options and
// are none: a hook may call bprelay itself.
var hookVariables = []string{
	"BPRELAY_EVENT", "BPRELAY_NODE", "BPRELAY_PREVIOUS_NODE", "BPRELAY_REASON", "BPRELAY_DETAIL",
	"BPRELAY_PRODUCER", "BPRELAY_ROLE", "BPRELAY_EPOCH", "BPRELAY_TIME",
}

// placeHooks makes the programs' paths absolute, and warns of those that cannot be run: when a hook is
// needed it is too late to find out.
func (d *decoder) placeHooks(h *Hooks, dir string) error {
	for _, hook := range []struct {
		path    string
		command []string
	}{{"hooks.on_lead_change", h.OnLeadChange}, {"hooks.on_finalizer_silent", h.OnFinalizerSilent}, {"hooks.on_role_change", h.OnRoleChange}} {
		if len(hook.command) == 0 || !d.good(hook.path) {
			continue
		}
		program := &hook.command[0]
		if strings.Contains(*program, "/") && !filepath.IsAbs(*program) {
			abs, err := filepath.Abs(filepath.Join(dir, *program))
			if err != nil {
				return fmt.Errorf("locate %s: %w", hook.path, err)
			}
			*program = abs
		}
		if _, err := exec.LookPath(*program); err != nil {
			d.warn(hook.path, "%s cannot be run: %v", *program, cause(err))
		}
	}
	return nil
}

// cause is what LookPath found, without the name it repeats.
func cause(err error) error {
	if e, ok := err.(*exec.Error); ok {
		return e.Err
	}
	return err
}
