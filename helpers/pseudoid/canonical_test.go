// Tests of the canonical encoding, with the examples of the specification's appendix, and a benchmark.

package pseudoid

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The examples of the appendix "Canonical JSON", except those with -0 and 1e10, which events must not have.
func TestCanonicalJSONOfTheSpecification(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: `{}`,
		`{
		    "one": 1,
		    "two": "Two"
		}`: `{"one":1,"two":"Two"}`,
		`{
		    "b": "2",
		    "a": "1"
		}`: `{"a":"1","b":"2"}`,
		`{"b":"2","a":"1"}`: `{"a":"1","b":"2"}`,
		`{
		    "auth": {
		        "success": true,
		        "mxid": "@john.doe:example.com",
		        "profile": {
		            "display_name": "John Doe",
		            "three_pids": [
		                {
		                    "medium": "email",
		                    "address": "john.doe@example.org"
		                },
		                {
		                    "medium": "msisdn",
		                    "address": "123456789"
		                }
		            ]
		        }
		    }
		}`: `{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[` +
			`{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}`,
		`{
		    "a": "日本語"
		}`: `{"a":"日本語"}`,
		`{
		    "本": 2,
		    "日": 1
		}`: `{"日":1,"本":2}`,
		`{
		    "a": "\u65E5"
		}`: `{"a":"日"}`,
		`{
		    "a": null
		}`: `{"a":null}`,
	} {
		assertCanonical(t, want, text)
	}
}

func TestKeysAreSortedByCodePoint(t *testing.T) {
	// By UTF-16 units, as JavaScript and Java sort, U+1F600 would come before U+FB01.
	assertCanonical(t, `{"":0,"A":1,"B":2,"a":3,"aa":4,"é":5,"ﬁ":6,"😀":7}`,
		`{"😀":7,"ﬁ":6,"é":5,"aa":4,"a":3,"B":2,"A":1,"":0}`)
}

func TestKeysAreSortedWithoutTheirEscapes(t *testing.T) {
	assertCanonical(t, `{"\n":2,"\"":3,"A":1,"\\":4}`, `{"\u0041":1,"\u000a":2,"\u0022":3,"\\":4}`)
}

func TestEscapesAreAsFewAsPossible(t *testing.T) {
	for c := rune(0); c < 0x20; c++ {
		want := fmt.Sprintf(`"\u%04x"`, c)
		if short, ok := map[rune]string{'\b': `"\b"`, '\t': `"\t"`, '\n': `"\n"`, '\f': `"\f"`, '\r': `"\r"`}[c]; ok {
			want = short
		}
		assertCanonical(t, want, fmt.Sprintf(`"\u%04X"`, c))
	}
	assertCanonical(t, `"\"\\"`, `"\u0022\u005C"`)
	assertCanonical(t, `"/<>&'`+"\x7f\u0080\u2028\u2029"+`"`, `"\/\u003c\u003e\u0026\u0027\u007f\u0080\u2028\u2029"`)
}

func TestScalarsAndEmptyValues(t *testing.T) {
	for text, want := range map[string]string{
		" null ": "null", "\ttrue\n": "true", "\r\nfalse": "false", `""`: `""`, "[ ]": "[]", "{ }": "{}",
		"[ [ ] , { } , 1 ]": "[[],{},1]",
	} {
		assertCanonical(t, want, text)
	}
}

func TestInputIsNotChanged(t *testing.T) {
	text := []byte(`{ "b" : [1, "\u0041"], "a" : {} }`)
	before := bytes.Clone(text)
	canonical, err := CanonicalJSON(text)
	require.NoError(t, err)
	assert.Equal(t, before, text)
	clear(text) // the result must not share memory with the input
	assert.Equal(t, `{"a":{},"b":[1,"A"]}`, string(canonical))
}

func BenchmarkCanonicalJSON(b *testing.B) {
	var content strings.Builder
	for i := range 200 {
		fmt.Fprintf(&content, `"key %d":{"body":"some text \u00e9 \n","number":%d,"list":[1,2,3]},`, i*7919%1000, i)
	}
	event := []byte(`{"type":"m.room.message","sender":"x","content":{` + content.String() + `"end":null},"depth":5}`)
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := CanonicalJSON(event); err != nil {
			b.Fatal(err)
		}
	}
}
