package match_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/helpers/match"
)

func TestMatchers(t *testing.T) {
	event := gjson.Parse(`{"type":"m.room.member","state_key":"@a:x.y","content":{"membership":"join","m.thing":{"a":[1,2]},"big":9007199254740993,"none":null}}`)
	cases := []struct {
		name    string
		matcher match.Matcher
		wrong   string
	}{
		{"equal", match.KeyEqual("content.membership", "join"), ""},
		{"dots in a key", match.KeyEqual(match.Path("content", "m.thing"), map[string]any{"a": []int{1, 2}}), ""},
		{"big integers are not rounded", match.KeyEqual("content.big", int64(9007199254740992)), "content.big is 9007199254740993, wanted 9007199254740992"},
		{"null is there", match.KeyPresent("content.none"), ""},
		{"null equals nil", match.KeyEqual("content.none", nil), ""},
		{"absent", match.KeyEqual("content.nothing", 1), "content.nothing is missing, wanted 1"},
		{"membership", match.Membership("@a:x.y", "join"), ""},
		{"other membership", match.Membership("@a:x.y", "leave"), `content.membership is "join", wanted "leave"`},
		{"contains", match.Contains(`content.m\.thing.a`, match.KeyEqual("@this", 2)), ""},
		{"does not contain", match.Contains(`content.m\.thing.a`, match.KeyEqual("@this", 3)), `none of the 2 elements of content.m\.thing.a matches; the last: @this is 2, wanted 3`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := c.matcher(event)
			if c.wrong == "" {
				assert.NoError(t, err)
				return
			}
			assert.EqualError(t, err, c.wrong)
		})
	}
}
