package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Error is one thing wrong with the configuration.
type Error struct {
	// Source is the file, or the environment variable, the value came from.
	Source string
	// Line counts from 1; 0 if the error has no place in a file.
	Line int
	// Path is the option's, such as "nodes[1].dial"; empty for the file as a whole.
	Path string
	// Given is the value, as it was written; empty if there is none to show.
	Given string
	// Problem says what is wrong, Want what would be right.
	Problem, Want string
}

// Error returns "file:line: path: "given" problem; want".
func (e *Error) Error() string {
	var s strings.Builder
	s.WriteString(place(e.Source, e.Line))
	if e.Path != "" {
		s.WriteString(e.Path + ": ")
	}
	if e.Given != "" {
		s.WriteString(strconv.Quote(e.Given) + " ")
	}
	s.WriteString(e.Problem)
	if e.Want != "" {
		s.WriteString("; " + e.Want)
	}
	return s.String()
}

// Warning is something that works, but is likely not what was meant.
type Warning struct {
	// Source, Line and Path are as in [Error].
	Source string
	Line   int
	Path   string
	Text   string
}

// String returns "file:line: path: text".
func (w Warning) String() string {
	s := place(w.Source, w.Line)
	if w.Path != "" {
		s += w.Path + ": "
	}
	return s + w.Text
}

func place(source string, line int) string {
	switch {
	case source == "":
		return ""
	case line == 0:
		return source + ": "
	default:
		return fmt.Sprintf("%s:%d: ", source, line)
	}
}

// invalid is what a value's parser returns: what is wrong and what would be right, without the place.
type invalid struct {
	problem, want string
}

func bad(want, problem string, args ...any) *invalid {
	return &invalid{problem: fmt.Sprintf(problem, args...), want: want}
}

// join returns all errors as one, in the order of their lines, or nil.
func join(list []*Error) error {
	slices.SortStableFunc(list, func(a, b *Error) int { return cmp.Compare(a.order(), b.order()) })
	errs := make([]error, len(list))
	for i, e := range list {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// order puts errors without a line last.
func (e *Error) order() int {
	if e.Line == 0 {
		return math.MaxInt
	}
	return e.Line
}

// redact keeps a private key that was put in the wrong place out of messages and logs.
func redact(text string) string {
	if strings.Contains(text, "PVT_") {
		return "(a private key)"
	}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\n,;:\"'[]{}", r) }) {
		// A WIF key is 51 or 52 base58 characters that begin with 5, K or L.
		if n := len(word); (n == 51 || n == 52) && strings.ContainsAny(word[:1], "5KL") {
			return "(a private key)"
		}
	}
	const most = 80
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}
