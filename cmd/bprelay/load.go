package main

import (
	"errors"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"bprelay/config"
)

// configFlag adds the flag that names the configuration file.
func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVarP(path, "config", "c", "", "configuration file (YAML)")
}

// load reads the configuration file.
func load(path string) (*config.Config, []config.Warning, error) {
	if path == "" {
		return nil, nil, misused(errors.New("no configuration file: give one with -c FILE"))
	}
	cfg, warnings, err := config.Load(path, os.Environ())
	return cfg, warnings, misused(err)
}

// newLogger makes the logger the configuration asks for.
func newLogger(cfg *config.Log, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.Format == config.LogJSON {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
