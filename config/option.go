package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Option is the description of one option, for documentation and help texts.
type Option struct {
	// Path is where it is in the file: "p2p.keepalive", or "dial" for a field of a list's mappings.
	Path string
	// Env is the environment variable that overrides it; empty for a field.
	Env string
	// Kind is what it accepts: "duration, 500ms to 5s".
	Kind string
	// Default is as it would be written in the file; empty if there is none.
	Default  string
	Required bool
	// Doc is one paragraph.
	Doc string
	// Fields are the keys of each mapping if the option is a list of mappings.
	Fields []Option
}

// Options returns the descriptions of all options in the order of the example file.
func Options() []Option {
	list := describe(options())
	for i := range list {
		list[i].Env = envName(list[i].Path)
	}
	return list
}

func describe[T any](options []option[T]) []Option {
	list := make([]Option, len(options))
	for i, o := range options {
		list[i] = Option{
			Path: o.path, Kind: o.kind.name, Default: o.def, Required: o.required, Doc: o.doc, Fields: o.kind.fields,
		}
	}
	return list
}

const envPrefix = "BPRELAY_"

func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// option describes one key of a T: the whole Config, or one record of a list.
type option[T any] struct {
	// path is where it is in the file, relative to T.
	path string
	kind kind[T]
	// def is the default as it would be written in the file; empty if there is none.
	def      string
	required bool
	// example is what the example file shows if there is no default, and must be valid.
	example string
	doc     string
}

// kind is what an option accepts, and where in a T the value goes.
type kind[T any] struct {
	// name is for people: "duration, 500ms to 5s".
	name   string
	list   bool
	decode func(d *decoder, dst *T, n *yaml.Node, path string)
	// fields describes the records of a list.
	fields []Option
}
