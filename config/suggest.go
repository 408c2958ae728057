package config

import (
	"slices"
	"strings"
)

// suggest returns the advice for an unknown key: the path that was likely meant, or else the keys
// that are possible in that place.
func suggest(prefix, section, key string, known []string) string {
	sections := []string{section}
	for _, k := range known {
		if in := k[:strings.LastIndex(k, ".")+1]; !slices.Contains(sections, in) {
			sections = append(sections, in)
		}
	}
	for _, like := range []func(given, key string) bool{same, similar} {
		for _, in := range sections {
			for _, k := range keysOf(in, known) {
				if like(key, k) {
					return "did you mean " + prefix + in + k + "?"
				}
			}
		}
	}
	return "possible here: " + strings.Join(keysOf(section, known), ", ")
}

// same reports whether given is key, written in another place or in nodeos' way.
func same(given, key string) bool {
	given = strings.ReplaceAll(strings.ToLower(given), "-", "_")
	return given == key || strings.TrimPrefix(given, "p2p_") == key
}

// similar reports whether given is likely a misspelling of key.
func similar(given, key string) bool {
	given = strings.ReplaceAll(strings.ToLower(given), "-", "_")
	if len(given) >= 5 && strings.HasPrefix(key, given) || len(key) >= 5 && strings.HasPrefix(given, key) {
		return true
	}
	return len(given) <= 2*len(key) && distance(given, key) <= min(2, len(key)/3)
}

// distance is the Levenshtein distance: how many single characters to insert, delete or replace.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := min(row[j]+1, row[j+1]+1)
			if a[i] == b[j] {
				next = min(next, diagonal)
			} else {
				next = min(next, diagonal+1)
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
