package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bprelay/ha/creds"
	"bprelay/relay/admin"
)

func newClusterCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cluster",
		Short: "Make and show what the members of a relay cluster know each other by, and say who votes",
		Long: "Makes, renews and shows the credentials of a relay cluster: the CA, a certificate and key for each\n" +
			"member, and the gossip key; and says who votes in a running quorum. Files are made with mode 0600, and none is ever overwritten but by\n" +
			"renew and rotate-gossip-key, which put a whole new file in place of the old one.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newClusterInitCommand(), newClusterAddCommand(), newClusterRenewCommand(), newClusterRotateCommand(), newClusterShowCommand(), newClusterVoteCommand())
	return c
}

// planFlags adds what commands that make certificates have in common.
func planFlags(c *cobra.Command, p *creds.Plan, memberUsage string) {
	dirFlag(c, &p.Dir)
	c.Flags().StringArrayVar(&p.Members, "member", nil, memberUsage)
	p.Validity = creds.DefaultValidity
	c.Flags().Var((*days)(&p.Validity), "validity", "how long the certificates hold, in days; there is an alarm 30 days before the end")
}

func dirFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "dir", "", "the cluster's directory")
}

// needed complains of flags that were not given.
func needed(c *cobra.Command, names ...string) error {
	for _, name := range names {
		if !c.Flags().Changed(name) {
			return misused(fmt.Errorf("no --%s: give one", name))
		}
	}
	return nil
}

func newClusterInitCommand() *cobra.Command {
	var p creds.Plan
	var ifMissing bool
	c := &cobra.Command{
		Use:   "init --dir DIR --member NAME --member NAME [--member NAME]",
		Short: "Make the credentials of a new cluster",
		Long: "Makes, in a directory, a CA, a certificate and key for each member, and the gossip key file; and prints\n" +
			"which file belongs where. Run it once, on any machine, and bring each member its own files. The CA's\n" +
			"key is needed only to add members and to renew certificates: keep it off the relays.",
		Example: "  bprelay cluster init --dir cluster --member relay-a --member relay-b",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needed(c, "dir", "member"); err != nil {
				return err
			}
			if _, err := os.Stat(filepath.Join(p.Dir, creds.CAFile)); ifMissing && err == nil {
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s has a cluster: nothing is made\n", p.Dir)
				return failed(err)
			}
			if _, err := creds.Create(p); err != nil {
				return failed(fmt.Errorf("make cluster: %w", err))
			}
			return failed(writeDelivery(c.OutOrStdout(), &p))
		},
	}
	planFlags(c, &p, "name of a member, as in the configuration's cluster.members; give two or more")
	c.Flags().BoolVar(&ifMissing, "if-missing", false, "do nothing if the directory has a CA's certificate already")
	return c
}

func newClusterAddCommand() *cobra.Command {
	var p creds.Plan
	c := &cobra.Command{
		Use:     "add --dir DIR --member NAME",
		Short:   "Make the credentials of a further member",
		Long:    "Makes a certificate and key for a further member of a cluster, with the CA's key that init left in the\ndirectory. The other members accept it as soon as their configuration names it.",
		Example: "  bprelay cluster add --dir cluster --member witness",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needed(c, "dir", "member"); err != nil {
				return err
			}
			if _, err := creds.Add(p); err != nil {
				return failed(fmt.Errorf("add member: %w", err))
			}
			return failed(writeDelivery(c.OutOrStdout(), &p))
		},
	}
	planFlags(c, &p, "name of the new member; may be given more than once")
	return c
}

func newClusterRenewCommand() *cobra.Command {
	var p creds.Plan
	c := &cobra.Command{
		Use:     "renew --dir DIR --member NAME",
		Short:   "Make a new certificate for a member's key",
		Long:    "Puts a new certificate in place of a member's old one. The key stays, and so does its pin. Bring the\nfile to the member, which reads it again within seconds; nobody needs a restart.",
		Example: "  bprelay cluster renew --dir cluster --member relay-a",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needed(c, "dir", "member"); err != nil {
				return err
			}
			made, err := creds.Renew(p)
			for _, path := range made {
				fmt.Fprintf(c.OutOrStdout(), "renewed %s\n", path)
			}
			if err != nil {
				return failed(fmt.Errorf("renew: %w", err))
			}
			return nil
		},
	}
	planFlags(c, &p, "name of a member; may be given more than once")
	return c
}

func newClusterVoteCommand() *cobra.Command {
	var path, address string
	c := &cobra.Command{
		Use:   "vote add|remove NAME",
		Short: "Give a member of a running quorum a vote, or end it",
		Long: "Changes, while a quorum runs, who votes in it; any relay of it may be asked. To add a member: make its\n" +
			"credentials (cluster add), name it in the configuration of all members and restart them one by one,\n" +
			"start it, then: vote add. It is brought what it lacks first. To remove one: vote remove, then take it\n" +
			"out of the configurations. To replace one, add first. A member that comes back with an empty state_dir\n" +
			"needs none of this.",
		Example:   "  bprelay cluster vote add relay-c\n  bprelay cluster vote remove witness -c bprelay.yaml",
		Args:      cobra.ExactArgs(2),
		ValidArgs: []string{"add", "remove"},
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] != "add" && args[0] != "remove" {
				return misused(fmt.Errorf("vote %s: say add or remove", args[0]))
			}
			address, err := adminAddress(path, address)
			if err != nil {
				return err
			}
			err = admin.TellVote(c.Context(), address, args[1], args[0] == "add")
			var refusal *admin.Refusal
			switch {
			case errors.As(err, &refusal):
				return failed(fmt.Errorf("vote: refused: %w", err))
			case err != nil:
				return failed(fmt.Errorf("tell the relay at %s: %w", address, err))
			}
			votes := "votes"
			if args[0] == "remove" {
				votes = "votes no more"
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s %s\n", args[1], votes)
			return failed(err)
		},
	}
	configFlag(c, &path)
	adminFlag(c, &address)
	return c
}

// writeDelivery says which file belongs where.
func writeDelivery(w io.Writer, p *creds.Plan) error {
	path := func(name string) string { return filepath.Join(p.Dir, name) }
	for _, m := range p.Members {
		if _, err := fmt.Fprintf(w, "to %s: %s %s %s %s\n", m, path(creds.CAFile), path(creds.CertFile(m)), path(creds.KeyFile(m)), path(creds.GossipFile)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "to none of them: %s\n", path(creds.CAKeyFile))
	return err
}

func newClusterRotateCommand() *cobra.Command {
	var file string
	steps := map[string]struct {
		do   func(*creds.Keyring) error
		next string
	}{
		"add":    {(*creds.Keyring).Add, "bring this file to every member, then: rotate-gossip-key use"},
		"use":    {(*creds.Keyring).Use, "bring this file to every member, then: rotate-gossip-key remove"},
		"remove": {(*creds.Keyring).Remove, "bring this file to every member, and the rotation is done"},
	}
	c := &cobra.Command{
		Use:   "rotate-gossip-key add|use|remove --file FILE",
		Short: "Change the gossip key, in three steps",
		Long: "Changes the key by which gossip is encrypted while the cluster goes on talking. add: all members learn\n" +
			"to read a new key. use: they write with it. remove: the old one is gone. Run each step once, on one\n" +
			"copy of the file, and bring that to every member before the next step; a running relay reads it\n" +
			"again within seconds, and `bprelay cluster show` on each member tells by fingerprints how far it is.",
		Example:   "  bprelay cluster rotate-gossip-key add --file cluster/gossip.keys",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"add", "use", "remove"},
		RunE: func(c *cobra.Command, args []string) error {
			if err := needed(c, "file"); err != nil {
				return err
			}
			ring, err := creds.ReadKeyring(file)
			if err != nil {
				return failed(err)
			}
			step := steps[args[0]]
			if err := step.do(ring); err != nil {
				return failed(fmt.Errorf("%s: %w", args[0], err))
			}
			if err := ring.Write(file); err != nil {
				return failed(err)
			}
			if err := writeGossipKeys(c.OutOrStdout(), ring.Describe()); err != nil {
				return failed(err)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), step.next)
			return failed(err)
		},
	}
	c.Flags().StringVar(&file, "file", "", "the gossip key file")
	return c
}

func newClusterShowCommand() *cobra.Command {
	var dir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "show --dir DIR",
		Short: "Show names, pins, expiry and fingerprints",
		Long: "Shows the certificates and gossip keys of a directory: that of cluster init, or what one member has of\n" +
			"it. Keys are shown by fingerprints only. The exit code is 1 if a certificate is not accepted, or will\n" +
			"not be in 30 days.",
		Example: "  bprelay cluster show --dir /etc/bprelay",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needed(c, "dir"); err != nil {
				return err
			}
			d, err := creds.Describe(dir, time.Now())
			if err != nil {
				return failed(err)
			}
			good := true
			for i := range d.Certificates {
				good = good && d.Certificates[i].Problem == ""
			}
			return show(c, clusterText{d}, asJSON, good, exitFailure)
		},
	}
	dirFlag(c, &dir)
	c.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return c
}

// clusterText is a directory as show prints it.
type clusterText struct{ *creds.Directory }

func (t clusterText) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tEXPIRES\tKEY HERE\tPIN\tFINGERPRINT")
	var problems []string
	for i := range t.Certificates {
		c := &t.Certificates[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.Name, c.Expires.Format(time.DateOnly), yesNo(c.HasKey), c.Pin, c.Fingerprint)
		if c.Problem != "" {
			problems = append(problems, fmt.Sprintf("%s: %s", c.File, c.Problem))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := writeGossipKeys(out, t.GossipKeys); err != nil {
		return err
	}
	for _, p := range problems {
		if _, err := fmt.Fprintf(out, "PROBLEM: %s\n", p); err != nil {
			return err
		}
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func writeGossipKeys(w io.Writer, keys []creds.GossipKey) error {
	for _, k := range keys {
		use := "decrypts"
		if k.Encrypts {
			use = "encrypts and decrypts"
		}
		if _, err := fmt.Fprintf(w, "gossip key %s: %s\n", k.Fingerprint, use); err != nil {
			return err
		}
	}
	return nil
}

// days is a flag's duration, in days.
type days time.Duration

const day = 24 * time.Hour

// maxDays keeps certificates within what X.509 can say, and time.Duration.
const maxDays = 100 * 365

func (d *days) String() string { return strconv.Itoa(int(time.Duration(*d)/day)) + "d" }

func (d *days) Type() string { return "days" }

func (d *days) Set(text string) error {
	n, err := strconv.Atoi(strings.TrimSuffix(text, "d"))
	if err != nil || n < 1 || n > maxDays {
		return errors.New("give a number of days from 1 to " + strconv.Itoa(maxDays) + ", such as 3650d")
	}
	*d = days(time.Duration(n) * day)
	return nil
}
