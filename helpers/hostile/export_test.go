package hostile

import (
	"fmt"
	"strings"
)

// Everything is one input for each single twist that there is.
func Everything() (inputs []Input) {
	for _, twist := range singleTwists() {
		inputs = append(inputs, Input{twist})
	}
	return inputs
}

// Describe tells of a list of inputs, one a line.
func Describe(inputs []Input) string {
	var text strings.Builder
	for i, input := range inputs {
		fmt.Fprintf(&text, "%3d  %s\n", i+1, input)
	}
	return text.String()
}
