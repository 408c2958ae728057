package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"bprelay/config"
	"bprelay/ha/journal"
	"bprelay/relay"
	"bprelay/relay/core"
)

// closeTimeout bounds a clean end: the engine's flush, and admin requests still running.
const closeTimeout = 5 * time.Second

func newRunCommand() *cobra.Command {
	var path string
	var offset time.Duration
	c := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Run the relay",
		Long: "Runs the relay in the foreground and logs to stderr. SIGINT or SIGTERM ends it cleanly: what is\n" +
			"queued is still sent. A second signal ends it at once.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, warnings, err := load(path)
			if err != nil {
				return err
			}
			log := newLogger(&cfg.Log, c.ErrOrStderr())
			for _, w := range warnings {
				log.Warn("configuration", "warning", w.String())
			}
			return run(c.Context(), cfg, log, nil, func(o *relay.Options) { o.Engine.ClockOffset = offset })
		},
	}
	configFlag(c, &path)
	c.Flags().DurationVar(&offset, "clock-offset", 0, "how far the relay's clock is wrong, in a test")
	_ = c.Flags().MarkHidden("clock-offset") // it is there
	return c
}

// watcher is told when a relay has started, and what it decides.
type watcher interface {
	core.Observer
	Started()
}

// run is one relay's life, from a valid configuration to ctx's end. w may be nil; adjust changes what the
// configuration does not say.
func run(ctx context.Context, cfg *config.Config, log *slog.Logger, w watcher, adjust ...func(*relay.Options)) error {
	if cfg.Cluster.Witness() {
		return runWitness(ctx, cfg, log, w)
	}
	options, err := relayOptions(cfg)
	if err != nil {
		return misused(err)
	}
	options.Logger = log
	for _, f := range adjust {
		f(&options)
	}
	if w != nil {
		options.Observer = w
	}
	log.Info("bprelay", "version", version(), "producers", len(cfg.Producers), "nodes", len(cfg.Nodes),
		"peers", len(cfg.Network.Peers), "takeover", string(cfg.Takeover))
	if err := joinCluster(cfg, &options, log); err != nil {
		return err
	}
	j, err := openJournal(cfg, &options, log)
	if err != nil {
		return failed(err)
	}
	if j != nil {
		defer closeJournal(ctx, j, log)
	}
	r, err := relay.New(options)
	if err != nil {
		return misused(err)
	}
	if err := r.Start(ctx); err != nil {
		return failed(err)
	}
	if w != nil {
		w.Started()
	}
	<-ctx.Done()
	log.Info("signal received, ending")
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := r.Close(bounded); err != nil {
		log.Warn("not everything ended cleanly", "error", err)
	}
	return nil
}

// closeJournal writes the journal's last state, when nothing asks it any more.
func closeJournal(ctx context.Context, j *journal.Journal, log *slog.Logger) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := j.Close(bounded); err != nil {
		log.Error("journal did not end cleanly", "error", err)
	}
}
