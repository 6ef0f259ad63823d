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
	rename operation = "is named"
)

// Twist is one change to a valid event.
type Twist struct {
	place place
	op    operation
	value Value
	late  bool // it is applied after hashing and signing, so that these are invalid
	// document is what it changes; nil: a member event.
	document *Document
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
	singles := spread(random, singleTwists())
	inMapping := func(twist Twist) bool {
		return len(twist.place.path) > 1 && twist.place.path[1] == pseudoid.MappingField
	}
	return mixed(random, alternating(singles, inMapping), count)
}

// alternating returns twists in an order in which every second one is wanted, as long as there are any.
func alternating(twists []Twist, wanted func(Twist) bool) []Twist {
	those := slices.DeleteFunc(slices.Clone(twists), func(twist Twist) bool { return !wanted(twist) })
	others := slices.DeleteFunc(twists, wanted)
	for i, twist := range those[:min(len(those), len(others))] {
		others = slices.Insert(others, 2*i, twist)
	}
	return others
}

// spread returns twists in random order, of each place in turn.
func spread(random *rand.Rand, singles []Twist) []Twist {
	random.Shuffle(len(singles), func(i, j int) { singles[i], singles[j] = singles[j], singles[i] })
	turn := map[string]int{} // number of twists so far, by place
	turns := make(map[string]int, len(singles))
	for _, twist := range singles {
		turns[twist.String()] = turn[twist.place.name]
		turn[twist.place.name]++
	}
	slices.SortStableFunc(singles, func(a, b Twist) int { return turns[a.String()] - turns[b.String()] })
	return singles
}

// mixed returns count inputs: every second one is the next of single twists, the others have two or three of them.
func mixed(random *rand.Rand, singles []Twist, count int) (inputs []Input) {
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
			twists = append(twists, Twist{where, set, value, false, nil})
		}
		if where.path == nil {
			continue // other places have missing and duplicate keys
		}
		if !where.absent {
			twists = append(twists, Twist{where, remove, Value{}, false, nil})
			for _, class := range classes {
				twists = append(twists, Twist{where, double, vocabulary[class][0], false, nil})
			}
		}
		if where.signed {
			for _, value := range vocabulary[types] {
				twists = append(twists, Twist{where, set, value, true, nil})
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
