package match_test

import (
	"regexp"
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
		{"missing", match.KeyMissing("content.nothing"), ""},
		{"not missing", match.KeyMissing("state_key"), `state_key is present: "@a:x.y"`},
		{"absent", match.KeyEqual("content.nothing", 1), "content.nothing is missing, wanted 1"},
		{"membership", match.Membership("@a:x.y", "join"), ""},
		{"other membership", match.Membership("@a:x.y", "leave"), `content.membership is "join", wanted "leave"`},
		{"expression", match.KeyMatches("state_key", regexp.MustCompile(`^@`)), ""},
		{"expression on a number", match.KeyMatches("content.big", regexp.MustCompile(`.`)), "content.big is not a string: 9007199254740993"},
		{"any", match.Any(match.Type("x"), match.Type("m.room.member")), ""},
		{"none of any", match.Any(match.Type("x")), `none of 1 alternatives: type is "m.room.member", wanted "x"`},
		{"contains", match.Contains(`content.m\.thing.a`, match.KeyEqual("@this", 2)), ""},
		{"does not contain", match.Contains(`content.m\.thing.a`, match.KeyEqual("@this", 3)), `none of the 2 elements of content.m\.thing.a matches; the last: @this is 2, wanted 3`},
		{"each", match.Each(`content.m\.thing.a`, match.KeyEqual("@this", 1)), `content.m\.thing.a, element 1: @this is 2, wanted 1`},
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
