package main

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"
)

// notRun is the end of a command that could not do its work: by its options, or by what happened.
func notRun(err, options error) error {
	if errors.Is(err, options) {
		return misused(err)
	}
	return failed(err)
}

// show writes a command's result to stdout, as JSON or text; a bad one ends with the exit code given.
func show(c *cobra.Command, result interface{ WriteText(io.Writer) error }, asJSON, good bool, code int) error {
	var err error
	if asJSON {
		e := json.NewEncoder(c.OutOrStdout())
		e.SetIndent("", "  ")
		err = e.Encode(result)
	} else {
		err = result.WriteText(c.OutOrStdout())
	}
	if err != nil {
		return failed(err)
	}
	if !good {
		return &exitError{code: code}
	}
	return nil
}
