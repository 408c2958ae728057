package config

import "strings"

// suggest returns the advice for an unknown key: the path that was likely meant, or else the keys
// that are possible in that place.
func suggest(prefix, section, key string, known []string) string {
	near := func(in string) string {
		for _, k := range keysOf(in, known) {
			if similar(key, k) {
				return "did you mean " + prefix + in + k + "?"
			}
		}
		return ""
	}
	if s := near(section); s != "" {
		return s
	}
	for _, k := range known {
		if in := k[:strings.LastIndex(k, ".")+1]; in != "" && in != section {
			if s := near(in); s != "" {
				return s
			}
		}
	}
	if s := near(""); s != "" {
		return s
	}
	return "possible here: " + strings.Join(keysOf(section, known), ", ")
}

// similar reports whether given is likely a misspelling of key, or nodeos' form of it.
func similar(given, key string) bool {
	given = strings.ReplaceAll(strings.ToLower(given), "-", "_")
	if given == key || strings.TrimPrefix(given, "p2p_") == key {
		return true
	}
	if len(given) >= 5 && (strings.HasPrefix(key, given) || strings.HasPrefix(given, key)) {
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
