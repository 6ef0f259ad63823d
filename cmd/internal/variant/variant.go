// Package variant describes how a reference differs from the default one: in a dialect and readings, which it is started
// with (reference/choice), and in faults, which it is built with (faults).
package variant

import (
	"strings"

	"msc4014/faults"
	"msc4014/reference/choice"
)

// Variant is a variant as typed by the user. The zero Variant is a server that follows the MSC.
type Variant struct {
	Dialect  string   // "msc4014" or "dendrite"; "" is that of the candidate
	Faults   []string // IDs
	Readings []string // "REQUIREMENT=READING"
}

// Arguments returns the variant as typed: "--fault one --reading a/b=c". For the zero Variant it returns "".
func (v Variant) Arguments() string {
	var words []string
	if v.Dialect != "" {
		words = append(words, "--dialect", v.Dialect)
	}
	for _, id := range v.Faults {
		words = append(words, "--fault", id)
	}
	for _, reading := range v.Readings {
		words = append(words, "--reading", reading)
	}
	return strings.Join(words, " ")
}

// Environment returns the variables that select a server's dialect and readings. It does not include faults.
func (v Variant) Environment() []string { return v.choices().Environment() }

func (v Variant) choices() choice.Choices {
	return choice.Choices{Dialect: v.Dialect, Readings: v.Readings}
}

// Overlay returns the files that replace those in the project at root when the variant is built. Its error names what does
// not exist, and what does, or the faults that cannot be combined.
func (v Variant) Overlay(root string) (map[string][]byte, error) {
	all, err := faults.All()
	if err != nil {
		return nil, err
	}
	named, err := faults.Named(all, v.Faults)
	if err != nil {
		return nil, err
	}
	if _, err := v.choices().Decide(); err != nil {
		return nil, err
	}
	return faults.Apply(root, named)
}
