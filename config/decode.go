package config

import (
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder turns YAML nodes into values and collects what is wrong on the way.
type decoder struct {
	// source is the file, or while an override is decoded the environment variable.
	source   string
	errs     []*Error
	warnings []Warning
	// marks tells where a path was given; what came by default has none.
	marks map[string]mark
}

type mark struct {
	source string
	line   int
}

func (d *decoder) mark(path string, n *yaml.Node) { d.marks[path] = mark{d.source, n.Line} }

// invalid reports a value found at n.
func (d *decoder) invalid(path string, n *yaml.Node, given string, problem *invalid) {
	d.errs = append(d.errs, &Error{
		Source: d.source, Line: n.Line, Path: path, Given: redact(given), Problem: problem.problem, Want: problem.want,
	})
}

// document parses the file and returns its top mapping, an empty one if there is nothing in it. It is
// not ok if the file is not a YAML mapping.
func (d *decoder) document(data []byte) (top *yaml.Node, ok bool) {
	var doc, more yaml.Node
	in := yaml.NewDecoder(strings.NewReader(string(data)))
	if err := in.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return &yaml.Node{Kind: yaml.MappingNode}, true
		}
		d.syntax("", err)
		return nil, false
	}
	if err := in.Decode(&more); err == nil {
		d.invalid("", &more, "", bad("keep one", "the file holds more than one YAML document"))
		return nil, false
	} else if !errors.Is(err, io.EOF) {
		d.syntax("", err)
		return nil, false
	}
	top = doc.Content[0]
	if isNull(top) {
		return &yaml.Node{Kind: yaml.MappingNode}, true
	}
	if top.Kind != yaml.MappingNode {
		d.invalid("", top, "", bad("give a mapping: producers, nodes, network and so on", "the file is %s", kindOf(top)))
		return nil, false
	}
	return top, true
}

var syntaxPattern = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(?s:(.*))$`)

func (d *decoder) syntax(path string, err error) {
	e := &Error{Source: d.source, Path: path, Problem: "not valid YAML: " + err.Error()}
	if m := syntaxPattern.FindStringSubmatch(err.Error()); m != nil {
		e.Line, _ = strconv.Atoi(m[1]) // without a line: 0
		e.Problem = "not valid YAML: " + m[2]
		if e.Line > 0 && path == "" {
			e.Want = "look at this line and those next to it" // the library's count is the context's, or one less
		}
	}
	d.errs = append(d.errs, e)
}

// mapping returns the nodes of a mapping and its sections by their path below it. known lists all
// paths there are; a path with a dot is a key of a section.
func (d *decoder) mapping(n *yaml.Node, prefix string, known []string) map[string]*yaml.Node {
	found := map[string]*yaml.Node{}
	d.section(n, prefix, "", known, found)
	return found
}

func (d *decoder) section(n *yaml.Node, prefix, section string, known []string, found map[string]*yaml.Node) {
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		path := section + key.Value
		if key.Kind != yaml.ScalarNode {
			d.invalid(strings.TrimSuffix(prefix+section, "."), key, "", bad("give a plain word", "has a key that is %s", kindOf(key)))
			continue
		}
		if first, twice := lines[key.Value]; twice {
			d.invalid(prefix+path, key, "", bad("keep one of the two", "is given twice, first on line %d", first))
			continue
		}
		lines[key.Value] = key.Line
		isSection := slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, path+".") })
		switch {
		case slices.Contains(known, path):
			found[path] = value
		case !isSection:
			d.invalid(redact(prefix+path), key, "", bad(suggest(prefix, section, key.Value, known), "unknown key"))
		case value.Kind == yaml.MappingNode:
			d.section(value, prefix, path+".", known, found)
		case !isNull(value): // a section whose keys are all commented out is null
			d.invalid(prefix+path, value, "", bad("give "+oneOf(keysOf(path+".", known))+", indented below it", "is %s, not a section", kindOf(value)))
		}
	}
}

// text returns the text of a single value.
func (d *decoder) text(n *yaml.Node, path, kind string) (string, bool) {
	d.mark(path, n)
	switch {
	case isNull(n):
		d.invalid(path, n, "", bad("give one ("+kind+") or remove the line", "has no value"))
	case n.Kind != yaml.ScalarNode:
		d.invalid(path, n, "", bad("give a single value ("+kind+")", "is %s", kindOf(n)))
	default:
		return n.Value, true
	}
	return "", false
}

// items returns the items of a list; none, with an error, if n is none.
func (d *decoder) items(n *yaml.Node, path string) []*yaml.Node {
	d.mark(path, n)
	if n.Kind != yaml.SequenceNode {
		d.invalid(path, n, n.Value, bad("put each item on a line of its own that begins with '- '", "is %s, not a list", kindOf(n)))
		return nil
	}
	return n.Content
}

// decodeOptions sets dst from the nodes found, and where there is none from the default.
func decodeOptions[T any](d *decoder, options []option[T], dst *T, found map[string]*yaml.Node, prefix string) {
	for _, o := range options {
		path := prefix + o.path
		n := found[o.path]
		if n != nil && !(o.kind.list && isNull(n)) {
			o.kind.decode(d, dst, n, path)
			continue
		}
		if o.required {
			at := d.marks[strings.TrimSuffix(prefix, ".")]
			if n != nil {
				at.line = n.Line
			}
			d.invalid(path, &yaml.Node{Line: at.line}, "", bad("give one ("+o.kind.name+")", isMissing))
		}
		if o.def != "" {
			o.kind.decode(d, dst, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: o.def}, path)
			delete(d.marks, path)
		}
	}
}

// isMissing is the problem of an option that must be given.
const isMissing = "is missing"

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kindOf says in words what a node is.
func kindOf(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "empty"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "a YAML alias"
	}
	return "a single value"
}

func paths[T any](options []option[T]) []string {
	list := make([]string, len(options))
	for i, o := range options {
		list[i] = o.path
	}
	return list
}

// keysOf returns the keys directly in a section ("" or ending in a dot), sections included.
func keysOf(section string, known []string) []string {
	var list []string
	for _, k := range known {
		if rest, in := strings.CutPrefix(k, section); in {
			key, _, _ := strings.Cut(rest, ".")
			if !slices.Contains(list, key) {
				list = append(list, key)
			}
		}
	}
	return list
}
