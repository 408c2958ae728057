// Package mutants lists ways to break the relay on purpose: each is a change of a few source lines that
// undoes one rule of the design. The simulation must find every one of them out; if it does not, it
// could not find the same mistake made by accident.
//
// A mutant is laid over the sources when the simulate command, or (Pairs) the pair command, is run with --mutants. Nothing of it
// is part of any other build.
package mutants
