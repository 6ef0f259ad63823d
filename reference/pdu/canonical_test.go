package pdu

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// assertCanonical asserts what CanonicalJSON makes of a text, and that it leaves that alone.
func assertCanonical(t *testing.T, want, text string) {
	t.Helper()
	for _, each := range []string{text, want} {
		canonical, err := CanonicalJSON([]byte(each))
		if assert.NoError(t, err, "%.80q", each) {
			assert.Equal(t, want, string(canonical), "%.80q", each)
		}
	}
}

// The examples of the appendix, "Canonical JSON", but the one with -0 and 1e10, which events must not have.
func TestCanonicalJSONOfTheSpecification(t *testing.T) {
	for want, text := range map[string]string{
		`{}`:                    `{}`,
		`{"one":1,"two":"Two"}`: `{ "one": 1, "two": "Two" }`,
		`{"a":"1","b":"2"}`:     `{ "b": "2", "a": "1" }`,
		`{"a":"日本語"}`:           `{ "a": "日本語" }`,
		`{"日":1,"本":2}`:         `{ "本": 2, "日": 1 }`,
		`{"a":"日"}`:             `{ "a": "\u65E5" }`,
		`{"a":null}`:            `{ "a": null }`,
		`{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}`: `{
			"auth": {
				"success": true,
				"mxid": "@john.doe:example.com",
				"profile": {
					"display_name": "John Doe",
					"three_pids": [
						{ "medium": "email", "address": "john.doe@example.org" },
						{ "medium": "msisdn", "address": "123456789" }
					]
				}
			}
		}`,
	} {
		assertCanonical(t, want, text)
	}
	_, err := CanonicalJSON([]byte(`{"a": -0, "b": 1e10}`)) // room version 6, "Canonical JSON"
	assert.Error(t, err)
}

func TestCanonicalJSON(t *testing.T) {
	for text, want := range map[string]string{
		" null ": "null", "true\n": "true", "\tfalse": "false", `""`: `""`, "[ ]": "[]", "{ }": "{}", "\r0": "0", "-1": "-1",
		"[ 1 , [ ] , { } , null ]":             "[1,[],{},null]",
		"[9007199254740991,-9007199254740991]": "[9007199254740991,-9007199254740991]",

		`{"😀":7,"ﬁ":6,"é":5,"aa":4,"a":3,"B":2,"":1}`:   `{"":1,"B":2,"a":3,"aa":4,"é":5,"ﬁ":6,"😀":7}`, // UTF-16 has another order
		`{"\u0041":1,"\u000a":2,"\u0022":3,"\\":4}`:     `{"\n":2,"\"":3,"A":1,"\\":4}`,
		`{"\"":{"\n":{"\u0000":"\u0000"}}}`:             `{"\"":{"\n":{"\u0000":"\u0000"}}}`,
		`{"a\"b":1,"a!":2,"a#":3}`:                      `{"a!":2,"a\"b":1,"a#":3}`,
		`["\"\\\/\b\f\n\r\t\u0008\u000C\u001f"]`:        `["\"\\/\b\f\n\r\t\b\f\u001f"]`,
		`"\u003c\u003E\u0026\u2028\u2029\u007f\uFFFD"`:  "\"<>&\u2028\u2029\u007f\ufffd\"",
		`{"\u003c\u003E\u0026\u2028\u2029":1}`:          "{\"<>&\u2028\u2029\":1}",
		`"\ud83d\ude00 \uDBFF\uDFFF \\ud800 \\\\ud800"`: "\"😀 \U0010ffff \\\\ud800 \\\\\\\\ud800\"",
		`{"\ud83d\ude00":1}`:                            `{"😀":1}`,
		`{"a":{"a":{"a":1}},"A":1}`:                     `{"A":1,"a":{"a":{"a":1}}}`,
	} {
		assertCanonical(t, want, text)
	}
	for c := range rune(' ') {
		text := fmt.Sprintf(`"\u%04x"`, c)
		want := text
		if i := strings.IndexRune("\b\t\n\f\r", c); i >= 0 {
			want = `"\` + "btnfr"[i:i+1] + `"`
		}
		assertCanonical(t, want, text)
		assertCanonical(t, "{"+want+":1}", "{"+text+":1}")
	}
}

func TestCanonicalJSONRefuses(t *testing.T) {
	for why, texts := range map[string][]string{
		"twice": {
			`{"a":1,"a":1}`, `{"a":1,"b":2,"a":3}`, `[{"x":{"":1,"":2}}]`, `{"sender":1,"\u0073ender":2}`, `{"/":1,"\/":1}`,
			`{"😀":1,"\ud83d\ude00":1}`, `{"\"":1,"\u0022":1}`,
		},
		"not an integer": {
			`1.5`, `[-0.1]`, `1.0`, `0.0`, `-0.0`, `{"depth":5.0}`, `1e3`, `1E3`, `0e0`, `10e-1`, `1.5e1`, `1e400`, `-0`, `[-0]`, `{"a":-0}`,
			`9007199254740992`, `-9007199254740992`, `18446744073709551616`, `1` + strings.Repeat("0", 400),
		},
		"surrogate": {
			`"\ud800"`, `"\udc00"`, `"\uDFFF"`, `"\ud800x"`, `"\ud800\n"`, `"\ud800\ud800"`, `"\udc00\ud800"`, `"\ud800\u0041"`,
			`{"\ud800":1}`, `"\ud83d\ude00\ud83d"`, `"\ud83d\ud83d\ude00"`, `"\\\ud800"`, `"\ud800\\udc00"`,
		},
		"UTF-8": {
			"\"\xff\"", "\"\xc3\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "{\"\xfe\":1}", "1\xff", "\xff\xfe{}",
		},
		"": {
			``, ` `, `{`, `[`, `"`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `{a:1}`, `{1:1}`, `{'a':1}`, `nul`, `NaN`,
			`Infinity`, `-`, `+1`, `.5`, `1.`, `01`, `-01`, `[1 2]`, `{"a" 1}`, `"\x41"`, `"\u12"`, `"\u12g4"`, `"\U0041"`, "\"\x01\"", "\"a\nb\"",
			"\ufeff{}", `/**/1`, "\v1", "\u00a01", `]`, `{}{}`, `{} x`, `1 2`, `null,`, `[]]`, "{}\x00", `""""`, `0x10`,
		},
	} {
		for _, text := range texts {
			canonical, err := CanonicalJSON([]byte(text))
			if assert.Error(t, err, "%.80q", text) {
				assert.ErrorContains(t, err, why, "%.80q", text)
				assert.Less(t, len(err.Error()), 200)
			}
			assert.Nil(t, canonical)
		}
	}
}

func TestCanonicalJSONBoundsTheDepth(t *testing.T) {
	arrays := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	objects := func(depth int) string { return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth) }
	for _, nested := range []func(int) string{arrays, objects} {
		assertCanonical(t, nested(10000), nested(10000))
		_, err := CanonicalJSON([]byte(nested(10001)))
		assert.Error(t, err)
	}
	_, err := CanonicalJSON([]byte(strings.Repeat("[", 10_000_000)))
	assert.Error(t, err)
}

func TestCanonicalJSONLeavesItsInput(t *testing.T) {
	text := []byte(`{"b":"\/\u0041", "a":1}`)
	_, err := CanonicalJSON(text)
	require.NoError(t, err)
	assert.Equal(t, `{"b":"\/\u0041", "a":1}`, string(text))
}

func BenchmarkCanonicalJSON(b *testing.B) {
	for name, text := range map[string]string{
		"event":  memberEvent,
		"nested": strings.Repeat("[", 10000) + `"` + strings.Repeat("a", 45000) + `"` + strings.Repeat("]", 10000),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := CanonicalJSON([]byte(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// memberEvent is a join as it goes over federation.
const memberEvent = `{"auth_events":["$6tJjLpXtggfke8UxFhAKg82QVkJzvKOVOOSjUDK4ZSI","$2onzLVKs0v7DvCDh2YtMMJYNDBOJu6u3jIGbyWJ04xs"],
	"content":{"avatar_url":"mxc://one.test/x","displayname":"Alice <a@b> \ud83d\ude00","membership":"join","mxid_mapping":{
	"sender_key":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo","signatures":{"one.test":{
	"ed25519:a":"K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"}},"user_id":"@alice:one.test"}},
	"depth":7,"hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},"origin_server_ts":1700000000000,
	"prev_events":["$6tJjLpXtggfke8UxFhAKg82QVkJzvKOVOOSjUDK4ZSI"],"room_id":"!room:one.test",
	"sender_key":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo","state_key":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo",
	"type":"m.room.member","unsigned":{"age":1}}`
