// Package choice has the options of the reference homeserver: a dialect, and readings of what the proposal leaves open,
// as typed by people and as passed in environment variables.
package choice

import (
	"fmt"
	"slices"
	"strings"

	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

// The environment variables that hold choices. Readings are separated by commas.
const (
	DialectVariable  = "MSC4014_REFERENCE_DIALECT"
	ReadingsVariable = "MSC4014_REFERENCE_READINGS"
)

// Choices are the options as typed. The zero Choices give a server that follows the text.
type Choices struct {
	Dialect  string   // "msc4014" or "dendrite"; "" is msc4014
	Readings []string // "REQUIREMENT=READING"
}

// FromEnvironment reads choices with get (os.Getenv).
func FromEnvironment(get func(string) string) Choices {
	return Choices{Dialect: get(DialectVariable), Readings: list(get(ReadingsVariable))}
}

func list(text string) (items []string) {
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// Environment returns the environment variables for the choices, without empty ones.
func (c Choices) Environment() (variables []string) {
	add := func(name, value string) {
		if value != "" {
			variables = append(variables, name+"="+value)
		}
	}
	add(DialectVariable, c.Dialect)
	add(ReadingsVariable, strings.Join(c.Readings, ","))
	return variables
}

// And returns the choices with those of other added. The other's dialect wins if it has one, and so do its readings.
func (c Choices) And(other Choices) Choices {
	c.Readings = slices.Concat(c.Readings, other.Readings)
	if other.Dialect != "" {
		c.Dialect = other.Dialect
	}
	return c
}

// Decided is the result of deciding choices.
type Decided struct {
	Dialect  pdu.Dialect
	Readings pseudonym.Readings
}

// Decide validates choices. The error names what does not exist, and what does.
func (c Choices) Decide() (Decided, error) {
	decided := Decided{Dialect: pdu.DialectMSC4014}
	switch dialect := pdu.Dialect(c.Dialect); dialect {
	case "":
	case pdu.DialectMSC4014, pdu.DialectDendrite:
		decided.Dialect = dialect
	default:
		return Decided{}, fmt.Errorf("there is no dialect %q; there are %s, %s", c.Dialect, pdu.DialectMSC4014,
			pdu.DialectDendrite)
	}
	decided.Readings = pseudonym.DefaultReadings(decided.Dialect)
	chosen := map[string]string{} // the reading by requirement; the last one typed
	for _, typed := range c.Readings {
		requirement, reading, ok := strings.Cut(typed, "=")
		if !ok {
			return Decided{}, fmt.Errorf("reading %q: it is REQUIREMENT=READING, such as %s", typed, anyReading())
		}
		if _, known := decided.Readings.Get(requirement); !known {
			return Decided{}, fmt.Errorf("no reading is offered of requirement %q, only of %s", requirement,
				strings.Join(requirements(), ", "))
		}
		if err := decided.Readings.Set(requirement, pseudonym.Reading(reading)); err != nil {
			return Decided{}, err
		}
		chosen[requirement] = reading
	}
	for one, reading := range chosen {
		for other, contrary := range chosen {
			if one < other && reading != contrary && pseudonym.OneDecision(one, other) {
				return Decided{}, fmt.Errorf("%s=%s contradicts %s=%s: the two requirements are one decision of this server",
					one, reading, other, contrary)
			}
		}
	}
	return decided, nil
}

func requirements() (ids []string) {
	for _, offer := range pseudonym.Offers() {
		ids = append(ids, offer.Requirement)
	}
	return ids
}

func anyReading() string {
	offer := pseudonym.Offers()[0]
	return offer.Requirement + "=" + string(offer.Readings[0])
}
