package hostile

// Inputs: what is hostile about an event, told so that it can be made again, made smaller, and written out.

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"

	"msc4014/helpers/pseudoid"
)

// operation is what is done to a place.
type operation string

const (
	set    operation = "is"
	remove operation = "is missing"
	double operation = "stands there twice, the second time as"
)

// Twist is one thing that is not as in an honest event.
type Twist struct {
	place place
	op    operation
	value Value
	late  bool // it is written when the event is hashed and signed, so that neither fits
}

// String says it in words: "user_id of the mapping is a sigil alone".
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

// Input is a hostile event: the twists to an honest one, of which there is at least one.
type Input []Twist

// String says in words what is hostile about it.
func (in Input) String() string {
	var parts []string
	for _, twist := range in {
		parts = append(parts, twist.String())
	}
	return strings.Join(parts, "; ")
}

// MarshalJSON writes it in words.
func (in Input) MarshalJSON() ([]byte, error) { return json.Marshal(in.String()) }

// Smaller returns inputs that are less hostile, the smallest first: with a twist left out, or with less of a value.
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

// Inputs makes count inputs from a seed: the same ones each time, and others in each stream of it. Half of them are one
// twist each, which differ, from one place after the other, every second one in the mapping; the others are several twists
// together.
func Inputs(seed, stream uint64, count int) []Input {
	random := rand.New(rand.NewPCG(seed, stream))
	singles := singleTwists()
	random.Shuffle(len(singles), func(i, j int) { singles[i], singles[j] = singles[j], singles[i] })
	turn := map[string]int{} // how many twists of a place came before
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

// singleTwists are all that there are.
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
			continue // a key that is nowhere, or two of them, are the other places' matter
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
