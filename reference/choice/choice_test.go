package choice

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

func TestChoicesGoThroughAnEnvironment(t *testing.T) {
	chosen := Choices{
		Dialect: "dendrite", Readings: []string{"event-format/no-origin=absent", "redaction/sender-key-kept=removed"},
	}
	variables := map[string]string{}
	for _, variable := range chosen.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		variables[name] = value
	}
	assert.Equal(t, chosen, FromEnvironment(func(name string) string { return variables[name] }))
	assert.Empty(t, Choices{}.Environment())
}

func TestDecide(t *testing.T) {
	usual, err := Choices{}.Decide()
	require.NoError(t, err)
	assert.Equal(t, pdu.DialectMSC4014, usual.Dialect)
	assert.Equal(t, pseudonym.DefaultReadings(pdu.DialectMSC4014), usual.Readings)

	base := Choices{Readings: []string{"redaction/sender-key-kept=removed"}}
	decided, err := base.And(Choices{Dialect: "dendrite", Readings: []string{"redaction/sender-key-kept=kept"}}).Decide()
	require.NoError(t, err)
	assert.Equal(t, pdu.DialectDendrite, decided.Dialect)
	reading, _ := decided.Readings.Get("redaction/sender-key-kept")
	assert.EqualValues(t, "kept", reading, "the later one counts")
	origin, _ := decided.Readings.Get("event-format/no-origin")
	assert.EqualValues(t, "sender-key", origin, "the usual one of the dialect")
}

func TestDecideSaysWhatThereIs(t *testing.T) {
	for says, choices := range map[string]Choices{
		`no dialect "x"; there are msc4014, dendrite`: {Dialect: "x"},
		`reading "x": it is REQUIREMENT=READING`:      {Readings: []string{"x"}},
		`requirement "x", only of room-version/`:      {Readings: []string{"x=y"}},
		`offered are ["kept" "removed"]`:              {Readings: []string{"redaction/sender-key-kept=y"}},
		`mapping/two-keys-one-user=older-shown contradicts sender-key/rotation=both-shown`: {Readings: []string{
			"sender-key/rotation=both-shown", "mapping/two-keys-one-user=older-shown",
		}},
	} {
		_, err := choices.Decide()
		assert.ErrorContains(t, err, says)
	}
}
