package hostile

// Inputs: descriptions of hostile events, which can be generated, shrunk and printed.

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"

	"msc4014/helpers/pseudoid"
)

// operation is a change of a field.
type operation string

const (
	set    operation = "is"
	remove operation = "is missing"
	double operation = "is duplicated, the second time as"
)

// Twist is one change to a valid event.
type Twist struct {
	place place
	op    operation
	value Value
	late  bool // it is applied after hashing and signing, so that these are invalid
}

// String describes the twist: "user_id of the mapping is only a sigil".
func (t Twist) String() string {
	text := t.place.name + " " + string(t.op)
	if t.op != remove {
		text += " " + t.value.Name
	}
	if t.late {
		text += ", written after signing"
	}
	return text
}

// Input describes a hostile event: one or more twists of a valid one.
type Input []Twist

// String describes the twists.
func (in Input) String() string {
	var parts []string
	for _, twist := range in {
		parts = append(parts, twist.String())
	}
	return strings.Join(parts, "; ")
}

// MarshalJSON encodes the description as a string.
func (in Input) MarshalJSON() ([]byte, error) { return json.Marshal(in.String()) }

// Smaller returns smaller inputs, the smallest first: without one of the twists, or with a smaller value.
func (in Input) Smaller() (inputs []Input) {
	if len(in) > 1 {
		for i := range in {
			inputs = append(inputs, slices.Delete(slices.Clone(in), i, i+1))
		}
	}
	for i, twist := range in {
		if twist.value.smaller == nil {
			continue
		}
		for _, less := range twist.value.smaller() {
			other := slices.Clone(in)
			other[i].value = less
			inputs = append(inputs, other)
		}
	}
	return inputs
}

// Inputs generates count inputs from a seed and a stream, always the same ones. Half of them have a single twist: they are all
// different, cycle through the places, and every second one is in the mapping. The others have two or three twists.
func Inputs(seed, stream uint64, count int) []Input {
	random := rand.New(rand.NewPCG(seed, stream))
	singles := singleTwists()
	random.Shuffle(len(singles), func(i, j int) { singles[i], singles[j] = singles[j], singles[i] })
	turn := map[string]int{} // number of twists so far, by place
	turns := make(map[string]int, len(singles))
	for _, twist := range singles {
		turns[twist.String()] = turn[twist.place.name]
		turn[twist.place.name]++
	}
	slices.SortStableFunc(singles, func(a, b Twist) int { return turns[a.String()] - turns[b.String()] })
	inMapping := func(twist Twist) bool {
		return len(twist.place.path) > 1 && twist.place.path[1] == pseudoid.MappingField
	}
	ofMapping := slices.DeleteFunc(slices.Clone(singles), func(twist Twist) bool { return !inMapping(twist) })
	singles = slices.DeleteFunc(singles, inMapping)
	for i, twist := range ofMapping[:min(len(ofMapping), len(singles))] {
		singles = slices.Insert(singles, 2*i, twist)
	}
	var inputs []Input
	for i := range count {
		if i%2 == 0 && i/2 < len(singles) {
			inputs = append(inputs, Input{singles[i/2]})
			continue
		}
		var several Input
		for range 2 + random.IntN(2) {
			several = append(several, singles[random.IntN(len(singles))])
		}
		inputs = append(inputs, several)
	}
	return inputs
}

// singleTwists returns all possible twists.
func singleTwists() (twists []Twist) {
	for _, where := range places {
		var values []Value
		classes := slices.Compact(slices.Sorted(slices.Values(append([]class{types}, where.classes...))))
		for _, each := range classes {
			values = append(values, vocabulary[each]...)
		}
		for _, value := range values {
			twists = append(twists, Twist{where, set, value, false})
		}
		if where.path == nil {
			continue // other places have missing and duplicate keys
		}
		if !where.absent {
			twists = append(twists, Twist{where, remove, Value{}, false})
			for _, class := range classes {
				twists = append(twists, Twist{where, double, vocabulary[class][0], false})
			}
		}
		if where.signed {
			for _, value := range vocabulary[types] {
				twists = append(twists, Twist{where, set, value, true})
			}
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(twists, func(twist Twist) bool { // classes overlap
		text := twist.String()
		defer func() { seen[text] = true }()
		return seen[text]
	})
}
