package config

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFileSize is far beyond any real configuration file.
const maxFileSize = 1 << 20

// Load reads the file at path, applies the overrides in env (the form of os.Environ) and checks the
// key file and the hooks' programs. The error joins everything that is wrong, each an [*Error]; one
// that concerns reading the file itself wraps the system's. Warnings come with and without an error.
func Load(path string, env []string) (*Config, []Warning, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open configuration: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read configuration: %w", err)
	}
	if len(data) > maxFileSize {
		return nil, nil, &Error{Source: path, Problem: "the file is larger than 1 MiB", Want: "give a configuration file"}
	}
	d, c := parse(path, data, env)
	if c.StateDir != "" && !filepath.IsAbs(c.StateDir) {
		if c.StateDir, err = filepath.Abs(filepath.Join(filepath.Dir(path), c.StateDir)); err != nil {
			return nil, nil, fmt.Errorf("locate state_dir: %w", err)
		}
	}
	if name := c.P2P.PeerPrivateKeyFile; name != "" {
		if !filepath.IsAbs(name) {
			if name, err = filepath.Abs(filepath.Join(filepath.Dir(path), name)); err != nil {
				return nil, nil, fmt.Errorf("locate peer key: %w", err)
			}
		}
		c.P2P.PeerPrivateKeyFile = name
		d.checkKeyFile(&c.P2P)
	}
	if err := d.placeCluster(&c.Cluster, filepath.Dir(path)); err != nil {
		return nil, nil, err
	}
	if err := d.placeHooks(&c.Hooks, filepath.Dir(path)); err != nil {
		return nil, nil, err
	}
	return d.finish(c)
}

// Parse is [Load] without any file: data is the YAML text, name what errors call it. The peer key and
// the hooks' programs are not looked at.
func Parse(name string, data []byte, env []string) (*Config, []Warning, error) {
	d, c := parse(name, data, env)
	return d.finish(c)
}

func parse(name string, data []byte, env []string) (*decoder, *Config) {
	d := &decoder{source: name, marks: map[string]mark{}}
	c := &Config{}
	table := options()
	top, ok := d.document(data)
	if !ok {
		return d, c // whatever else could be said would be for want of the file
	}
	found := d.mapping(top, "", paths(table))
	overrides := d.environment(env, table)
	for _, o := range table {
		source, node := d.source, found
		if override, ok := overrides[o.path]; ok {
			d.source, node = envName(o.path), map[string]*yaml.Node{o.path: override}
		}
		decodeOptions(d, []option[Config]{o}, c, node, "")
		d.source = source
	}
	for i := range c.Network.Peers {
		p := &c.Network.Peers[i]
		p.Name = cmp.Or(p.Name, p.Dial)
	}
	if c.Listen.P2PServerAddress == "" {
		c.Listen.P2PServerAddress = cmp.Or(c.Listen.Network, "bprelay:0")
	}
	c.Cluster.settle()
	d.check(c)
	return d, c
}

func (d *decoder) finish(c *Config) (*Config, []Warning, error) {
	if err := join(d.errs); err != nil {
		return nil, d.warnings, err
	}
	return c, d.warnings, nil
}

// environment returns the overriding nodes by option path. An empty variable counts as not set.
func (d *decoder) environment(env []string, table []option[Config]) map[string]*yaml.Node {
	byName := map[string]option[Config]{}
	for _, o := range table {
		byName[envName(o.path)] = o
	}
	overrides := map[string]*yaml.Node{}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || value == "" {
			continue
		}
		o, known := byName[name]
		switch {
		case slices.Contains(hookVariables, name):
			// A hook's, which calls us.
		case !known:
			// Not an error: Kubernetes adds such variables by itself for a service of that name.
			d.warnings = append(d.warnings, Warning{Source: name, Text: "overrides no option and is ignored"})
		case o.kind.list:
			if n := d.listOf(name, o.path, value); n != nil {
				overrides[o.path] = n
			}
		default:
			overrides[o.path] = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
		}
	}
	return overrides
}

// listOf reads a list from a variable: YAML in brackets, or single values separated by commas.
func (d *decoder) listOf(name, path, value string) *yaml.Node {
	if strings.HasPrefix(strings.TrimSpace(value), "[") {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(value), &doc); err != nil {
			source := d.source
			d.source = name
			d.syntax(path, err)
			d.source = source
			return nil
		}
		withoutLines(&doc)
		return doc.Content[0]
	}
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for item := range strings.SplitSeq(value, ",") {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.TrimSpace(item)})
	}
	return n
}

// withoutLines removes line numbers: in a variable they say nothing.
func withoutLines(n *yaml.Node) {
	n.Line = 0
	for _, child := range n.Content {
		withoutLines(child)
	}
}
