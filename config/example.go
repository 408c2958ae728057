package config

import (
	"bytes"
	"fmt"
	"strings"
)

const exampleHead = `# bprelay: example configuration.
# Generated from the option tables of the config package (go generate ./config); not edited by hand.
#
# A line that begins with "#" and no space is an option with its default, or with an example if it has
# none; remove the "#" to set it. Every option can be overridden by the environment variable in
# brackets; a list is then given separated by commas, or as YAML in brackets.
# Check a file with: bprelay check -c FILE
`

// Example returns the commented example file. Taken as it is, it is a valid configuration.
func Example() []byte {
	var out bytes.Buffer
	out.WriteString(exampleHead)
	section := ""
	for _, o := range options() {
		indent := ""
		key := o.path
		parents := strings.Split(o.path, ".")
		for depth, parent := range parents[:len(parents)-1] {
			indent = strings.Repeat("  ", depth+1)
			if in := strings.Join(parents[:depth+1], ".") + "."; !strings.HasPrefix(section, in) {
				separate(&out)
				fmt.Fprintf(&out, "%s%s:\n", strings.Repeat("  ", depth), parent)
				section = in
			}
			key = parents[depth+1]
		}
		section = strings.TrimSuffix(o.path, key)
		separate(&out)
		about := o.kind.name
		if o.required {
			about += "; required"
		}
		comment(&out, indent+"# ", o.doc)
		for _, f := range o.kind.fields {
			note := f.Kind
			if f.Required {
				note += "; required"
			}
			comment(&out, indent+"#   ", fmt.Sprintf("%s (%s): %s", f.Path, note, f.Doc))
		}
		comment(&out, indent+"# ", fmt.Sprintf("[%s] %s", envName(o.path), about))
		switch {
		case o.def != "":
			fmt.Fprintf(&out, "%s#%s: %s\n", indent, key, o.def)
		case strings.HasPrefix(o.example, "\n"):
			fmt.Fprintf(&out, "%s%s:%s\n", indent, key, strings.ReplaceAll(o.example, "\n", "\n"+indent+"  "))
		default:
			fmt.Fprintf(&out, "%s#%s: %s\n", indent, key, o.example)
		}
	}
	return out.Bytes()
}

// separate puts an empty line between options, none after a section's own line.
func separate(out *bytes.Buffer) {
	if !bytes.HasSuffix(out.Bytes(), []byte(":\n")) || bytes.HasSuffix(out.Bytes(), []byte("FILE\n")) {
		out.WriteByte('\n')
	}
}

// comment writes text in lines of up to 100 characters, each after prefix.
func comment(out *bytes.Buffer, prefix, text string) {
	const width = 100
	line := prefix
	for word := range strings.FieldsSeq(text) {
		if len(line)+len(word) > width && line != prefix {
			out.WriteString(strings.TrimRight(line, " ") + "\n")
			line = prefix
		}
		line += word + " "
	}
	out.WriteString(strings.TrimRight(line, " ") + "\n")
}
