// Tests of detecting dialects and formats.

package pseudoid

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFieldsOfTheDialects(t *testing.T) {
	assert.Equal(t, "sender_key", DialectMSC4014.SenderField())
	assert.Equal(t, "sender_key", DialectMSC4014.MappingKeyField())
	assert.Equal(t, "sender", DialectDendrite.SenderField())
	assert.Equal(t, "user_room_key", DialectDendrite.MappingKeyField())
	for f, want := range map[Format]string{
		FormatDendrite: "sender", FormatMSC4014: "sender_key", FormatMSC4014Letter: "sender_key", FormatV10: "sender", FormatV11: "sender",
	} {
		assert.Equal(t, want, f.SenderField(), "%+v", f)
	}
}

func TestDetectDialect(t *testing.T) {
	key := string(GenerateKeyPair().Public)
	event := func(sender, eventType, mapping string) string {
		return fmt.Sprintf(`{%s,"type":"%s","content":{"mxid_mapping":%s}}`, sender, eventType, mapping)
	}
	theText, deployed := `"sender_key":"`+key+`"`, `"sender":"`+key+`"`
	mappingOfTheText, mappingDeployed := `{"sender_key":"`+key+`"}`, `{"user_room_key":"`+key+`"}`
	for name, c := range map[string]struct {
		event string
		want  Dialect
	}{
		"the text's message":                   {`{` + theText + `,"type":"m.room.message"}`, DialectMSC4014},
		"the deployed message":                 {`{` + deployed + `,"type":"m.room.message"}`, DialectDendrite},
		"the text's member":                    {event(theText, "m.room.member", mappingOfTheText), DialectMSC4014},
		"the deployed member":                  {event(deployed, "m.room.member", mappingDeployed), DialectDendrite},
		"a key beside a user ID":               {`{` + theText + `,"sender":"@alice:hs1"}`, DialectMSC4014},
		"a mapping without a key":              {event(deployed, "m.room.member", `{}`), DialectDendrite},
		"an invalid mapping":                   {event(deployed, "m.room.member", `[1]`), DialectDendrite},
		"a mapping that is null":               {event(deployed, "m.room.member", `null`), DialectDendrite},
		"content written by a client":          {event(deployed, "m.room.message", mappingOfTheText), DialectDendrite},
		"an event that is not canonicalizable": {`{` + deployed + `,"depth":1.5}`, DialectDendrite},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := DetectDialect([]byte(c.event))
			require.NoError(t, err)
			assert.Equal(t, c.want, d)
		})
	}
	for name, c := range map[string]struct {
		event string
		want  Dialect
	}{
		"the text's event, the deployed mapping": {event(theText, "m.room.member", mappingDeployed), DialectMSC4014},
		"the deployed event, the text's mapping": {event(deployed, "m.room.member", mappingOfTheText), DialectDendrite},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := DetectDialect([]byte(c.event))
			assert.ErrorIs(t, err, ErrMixedDialects)
			assert.Equal(t, c.want, d)
		})
	}
	for name, text := range map[string]string{
		"an ordinary event":   `{"sender":"@alice:hs1"}`,
		"no sender":           `{}`,
		"both fields":         `{` + theText + `,` + deployed + `}`,
		"a null":              `{"sender":null}`,
		"a padded key":        `{"sender":"` + key + `="}`,
		"no object":           `[]`,
		"nothing":             ``,
		"nested beyond sense": strings.Repeat("[", 1_000_000),
	} {
		t.Run(name, func(t *testing.T) {
			d, err := DetectDialect([]byte(text))
			assert.Error(t, err)
			assert.NotErrorIs(t, err, ErrMixedDialects)
			assert.Empty(t, d)
		})
	}
}

func TestSender(t *testing.T) {
	event := []byte(`{"sender":"@alice:hs1","sender_key":"key","depth":1.5}`)
	assert.Equal(t, "@alice:hs1", FormatV10.Sender(event))
	assert.Equal(t, "@alice:hs1", FormatDendrite.Sender(event))
	assert.Equal(t, "key", FormatMSC4014.Sender(event))
	for _, event := range []string{`{}`, `{"sender":null}`, `{"sender":1}`, `{"Sender":"x"}`, `[]`, `null`, ``, `{"sender":"x"`} {
		assert.Empty(t, FormatDendrite.Sender([]byte(event)), event)
	}
}
