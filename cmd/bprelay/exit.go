package main

import (
	"errors"
	"fmt"
	"strings"
)

// The process' exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // something failed at run time
	exitUsage   = 2 // the command line or the configuration is wrong
	exitProbe   = 3 // probe: the peer is unreachable or not healthy
	exitDemo    = 4 // demo: an invariant broke
)

// exitMeanings documents the codes, for the help text and README.md.
var exitMeanings = []struct {
	code    int
	meaning string
}{
	{exitOK, "done; also after SIGINT or SIGTERM ended `run` cleanly"},
	{exitFailure, "a failure at run time: an address is taken, a file cannot be written; `explain`: no relay answers, or it knows nothing of what was asked; `status`: no relay answers; `active`: the relay is a standby, or does not answer; `healthcheck`: something is missing, or it does not answer; `drain`, `undrain`, `lead`, `handover`: refused, with the reason, or no relay answers; `cluster show`: a certificate is not accepted, or will not be in 30 days"},
	{exitUsage, "the command line or the configuration is wrong; nothing was started"},
	{exitProbe, "`probe`: the peer cannot be reached or is not healthy"},
	{exitDemo, "`demo`: an invariant broke; the summary says which"},
}

func exitHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range exitMeanings {
		fmt.Fprintf(&b, "  %d  %s\n", e.code, strings.ReplaceAll(e.meaning, "`", ""))
	}
	return b.String()
}

// exitError is an error with the exit code it leads to.
type exitError struct {
	code int
	err  error // nil: everything was said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// failed marks an error as one at run time. Errors without a mark come from the command line's
// parser, and are usage errors.
func failed(err error) error { return withCode(exitFailure, err) }

// misused marks an error as the caller's.
func misused(err error) error { return withCode(exitUsage, err) }

func withCode(code int, err error) error {
	if err == nil {
		return nil
	}
	if marked := (*exitError)(nil); errors.As(err, &marked) {
		return err
	}
	return &exitError{code, err}
}

// codeOf is the exit code for the error of a command.
func codeOf(err error) int {
	if err == nil {
		return exitOK
	}
	if marked := (*exitError)(nil); errors.As(err, &marked) {
		return marked.code
	}
	return exitUsage
}

// complaint is what to tell the user about an error: nothing if the command said it already, and
// where to read on if the command line was not understood.
func complaint(err error) string {
	marked := (*exitError)(nil)
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &marked):
		return fmt.Sprintf("bprelay: %v\nbprelay help [command] explains the commands.\n", err)
	case marked.err == nil:
		return ""
	}
	return fmt.Sprintf("bprelay: %v\n", err)
}
