package config

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"bprelay/p2pwire"
)

// scalar makes a kind of a single value from its parser.
func scalar[T, V any](name string, at func(*T) *V, parse func(string) (V, *invalid)) kind[T] {
	return kind[T]{
		name: name,
		decode: func(d *decoder, dst *T, n *yaml.Node, path string) {
			if text, ok := d.text(n, path, name); ok {
				v, problem := parse(text)
				if problem != nil {
					d.invalid(path, n, text, problem)
					return
				}
				*at(dst) = v
			}
		},
	}
}

// list makes a kind of a list of single values from the parser of one.
func list[T any, V comparable](name string, at func(*T) *[]V, parse func(string) (V, *invalid)) kind[T] {
	return kind[T]{
		name: "list of " + name,
		list: true,
		decode: func(d *decoder, dst *T, n *yaml.Node, path string) {
			seen := map[V]string{}
			for i, item := range d.items(n, path) {
				path := fmt.Sprintf("%s[%d]", path, i)
				var v V
				one := scalar(name, func(v *V) *V { return v }, parse)
				before := len(d.errs)
				if one.decode(d, &v, item, path); len(d.errs) > before {
					continue
				}
				if first, twice := seen[v]; twice {
					d.invalid(path, item, item.Value, bad("remove one", "is the same as %s", first))
					continue
				}
				seen[v] = path
				*at(dst) = append(*at(dst), v)
			}
		},
	}
}

// records makes a kind of a list of mappings. An item that is a single value stands for a mapping
// with only the key plain; there is no such short form if plain is empty.
func records[T, R any](at func(*T) *[]R, options []option[R], plain string) kind[T] {
	name := "list of mappings"
	if i := slices.Index(paths(options), plain); i >= 0 {
		name += ", or of plain values: " + options[i].kind.name
	}
	return kind[T]{
		name:   name,
		list:   true,
		fields: describe(options),
		decode: func(d *decoder, dst *T, n *yaml.Node, path string) {
			for i, item := range d.items(n, path) {
				path := fmt.Sprintf("%s[%d]", path, i)
				d.mark(path, item)
				var found map[string]*yaml.Node
				if plain != "" && item.Kind == yaml.ScalarNode && item.Tag != "!!null" {
					found = map[string]*yaml.Node{plain: item}
				} else if item.Kind == yaml.MappingNode {
					found = d.mapping(item, path+".", paths(options))
				} else {
					d.invalid(path, item, "", bad("give a mapping with "+oneOf(keysOf("", paths(options))), "is %s", kindOf(item)))
					continue
				}
				var r R
				decodeOptions(d, options, &r, found, path+".")
				*at(dst) = append(*at(dst), r)
			}
		},
	}
}

// The kinds of single values.

func count[T any](at func(*T) *int, lo, hi int) kind[T] {
	name := "whole number, " + strconv.Itoa(lo) + " to " + strconv.Itoa(hi)
	return scalar(name, at, func(s string) (int, *invalid) { return parseCount(s, lo, hi) })
}

// number is count for a type of the wire's.
func number[T any, V uint16 | uint32](at func(*T) *V, lo, hi int) kind[T] {
	name := "whole number, " + strconv.Itoa(lo) + " to " + strconv.Itoa(hi)
	return scalar(name, at, func(s string) (V, *invalid) {
		n, problem := parseCount(s, lo, hi)
		return V(n), problem
	})
}

func fraction[T any](at func(*T) *float64) kind[T] {
	return scalar("fraction, 0 to 1", at, parseFraction)
}

func duration[T any](at func(*T) *time.Duration, lo, hi time.Duration) kind[T] {
	name := "duration, " + formatDuration(lo) + " to " + formatDuration(hi)
	return scalar(name, at, func(s string) (time.Duration, *invalid) { return parseDuration(s, lo, hi) })
}

func size[T any](at func(*T) *int, lo, hi int) kind[T] {
	name := "size, " + formatBytes(lo) + " to " + formatBytes(hi)
	return scalar(name, at, func(s string) (int, *invalid) { return parseBytes(s, lo, hi) })
}

func choice[T any, E ~string](at func(*T) *E, choices ...string) kind[T] {
	return scalar("one of "+oneOf(choices), at, func(s string) (E, *invalid) {
		v, problem := parseChoice(s, choices)
		return E(v), problem
	})
}

func boolean[T any](at func(*T) *bool) kind[T] { return scalar("true or false", at, parseFlag) }

func logLevel(at func(*Config) *slog.Level) kind[Config] {
	choices := []string{"debug", "info", "warn", "error"}
	return scalar("one of "+oneOf(choices), at, func(s string) (level slog.Level, problem *invalid) {
		if s, problem = parseChoice(s, choices); problem == nil {
			_ = level.UnmarshalText([]byte(s)) // knows all four
		}
		return level, problem
	})
}

func agent(at func(*Config) *string) kind[Config] { return scalar("text", at, parseAgent) }

func label[T any](at func(*T) *string) kind[T] { return scalar("name", at, parseLabel) }

func account[T any](at func(*T) *p2pwire.Name) kind[T] {
	return scalar("account name", at, parseAccount)
}

func chainID(at func(*Config) *p2pwire.ID) kind[Config] {
	return scalar("64 hex digits", at, parseChainID)
}

func keys[T any](at func(*T) *[]p2pwire.PublicKey) kind[T] { return list("public keys", at, parseKey) }

func file(at func(*Config) *string) kind[Config] { return scalar("path", at, parseFile) }

func directory(at func(*Config) *string) kind[Config] {
	return scalar("path of a directory", at, parseDirectory)
}

func dial[T any](at func(*T) *string) kind[T] { return scalar("host:port", at, parseDial) }

func listen(at func(*Config) *string) kind[Config] { return scalar("host:port", at, parseListen) }

func listenOrOff(at func(*Config) *string) kind[Config] {
	return scalar("host:port or off", at, func(s string) (string, *invalid) {
		if s == "off" {
			return "", nil
		}
		addr, problem := parseListen(s)
		if problem != nil {
			problem.want += "; or off"
		}
		return addr, problem
	})
}

func api[T any](at func(*T) *string) kind[T] { return scalar("host:port or URL", at, parseAPI) }

func hosts[T any](at func(*T) *[]string) kind[T] {
	return list("IP addresses or host names", at, parseHost)
}

// command is a program and its arguments, in which one may stand twice.
func command[T any](at func(*T) *[]string) kind[T] {
	const name = "command: list of a program and its arguments"
	return kind[T]{
		name: name,
		list: true,
		decode: func(d *decoder, dst *T, n *yaml.Node, path string) {
			for i, item := range d.items(n, path) {
				var word string
				parse := parseArgument
				if i == 0 {
					parse = parseProgram
				}
				scalar("text", func(w *string) *string { return w }, parse).decode(d, &word, item, fmt.Sprintf("%s[%d]", path, i))
				*at(dst) = append(*at(dst), word)
			}
		},
	}
}
