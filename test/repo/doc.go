// Package repo holds the rules of the repository that no compiler checks: which package may import
// which, what stands at the top level, that everything is documented, that no test waits for real
// time. It has tests only.
package repo
