package variant

// Faults that the reference still has in its own code, and is told by its environment. This file goes with reference/fault:
// Faults becomes faults.All, and choices leaves out the faults.

import (
	"slices"

	"msc4014/faults"
	"msc4014/reference/choice"
	"msc4014/reference/fault"
)

// Faults returns all faults. Those in the reference's code have no hunks.
func Faults() ([]faults.Fault, error) {
	all, err := faults.All()
	if err != nil {
		return nil, err
	}
	patches := len(all)
	for _, one := range fault.All() {
		if !slices.ContainsFunc(all[:patches], func(other faults.Fault) bool { return other.ID == string(one.ID) }) {
			all = append(all, faults.Fault{
				ID: string(one.ID), Does: one.Does, Breaks: one.Breaks, Dialect: one.Dialect, Requirements: one.Requirements,
			})
		}
	}
	return all, nil
}

func (v Variant) choices() choice.Choices {
	choices := choice.Choices{Dialect: v.Dialect, Readings: v.Readings}
	all, err := Faults()
	if err != nil {
		return choices // Overlay says so
	}
	for _, one := range all {
		if len(one.Hunks) == 0 && slices.Contains(v.Faults, one.ID) {
			choices.Faults = append(choices.Faults, one.ID)
		}
	}
	return choices
}
