// Package variant is how a reference differs from the usual one: a dialect and readings, which it is told as it starts
// (reference/choice), and faults, which it is built with (faults).
package variant

import (
	"strings"

	"msc4014/faults"
	"msc4014/reference/choice"
)

// Variant is as it was typed. The zero Variant is a server that follows the text.
type Variant struct {
	Dialect  string   // "msc4014" or "dendrite"; "" is that of the candidate
	Faults   []string // IDs
	Readings []string // "REQUIREMENT=READING"
}

// Arguments returns the variant as it is typed: "--fault one --reading a/b=c". The zero Variant is "".
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

// Environment returns the variables that tell a server the variant, but for what it is built with.
func (v Variant) Environment() []string { return v.choices().Environment() }

func (v Variant) choices() choice.Choices {
	return choice.Choices{Dialect: v.Dialect, Readings: v.Readings}
}

// Overlay returns the source that the variant is built with in place of that in the project at root. Its error names what of
// the variant does not exist, and what does, or the faults that do not go together.
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
