// Tests of what strict parsing refuses and of what it must accept.

package pseudoid

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// assertRefused asserts that CanonicalJSON refuses each text with the given error.
func assertRefused(t *testing.T, want error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		canonical, err := CanonicalJSON([]byte(text))
		assert.ErrorIs(t, err, want, "%q", text)
		assert.ErrorIs(t, err, ErrNotCanonicalizable, "%q", text)
		assert.Nil(t, canonical, "%q", text)
	}
}

// assertCanonical asserts that CanonicalJSON returns want for text.
func assertCanonical(t *testing.T, want, text string) {
	t.Helper()
	canonical, err := CanonicalJSON([]byte(text))
	if assert.NoError(t, err, "%q", text) {
		assert.Equal(t, want, string(canonical), "%q", text)
	}
}

func TestRefusesDuplicateKeys(t *testing.T) {
	assertRefused(t, ErrDuplicateKey,
		`{"a":1,"a":1}`,
		`{"a":1,"b":2,"a":3}`,
		`{"x":[{"a":1,"a":2}]}`,
		`{"":1,"":2}`,
	)
}

func TestRefusesDuplicateKeysThatAreSpelledDifferently(t *testing.T) {
	assertRefused(t, ErrDuplicateKey,
		`{"sender":1,"\u0073ender":2}`,
		`{"/":1,"\/":2}`,
		`{"😀":1,"\ud83d\ude00":2}`,
	)
}

func TestAcceptsEqualKeysInDifferentObjects(t *testing.T) {
	assertCanonical(t, `{"A":2,"a":{"a":{"a":1}}}`, `{"a":{"a":{"a":1}},"A":2}`)
}

func TestRefusesIntegersBeyondTheRange(t *testing.T) {
	assertRefused(t, ErrIntegerRange,
		`9007199254740992`, `-9007199254740992`, `{"a":[9007199254740993]}`, `10000000000000000`,
		`18446744073709551616`, `-18446744073709551615`, `1`+strings.Repeat("0", 400),
	)
}

func TestAcceptsIntegersAtTheEdgeOfTheRange(t *testing.T) {
	for _, number := range []string{"0", "1", "-1", "10", "9007199254740991", "-9007199254740991", "1000000000000000"} {
		assertCanonical(t, number, " "+number+" ")
	}
}

func TestRefusesFloats(t *testing.T) {
	assertRefused(t, ErrNotInteger, `1.5`, `-0.1`, `[0.5]`, `{"a":3.14}`)
}

func TestRefusesFloatsThatAreIntegers(t *testing.T) {
	assertRefused(t, ErrNotInteger, `1.0`, `0.0`, `{"depth":5.0}`, `-0.0`)
}

func TestRefusesExponents(t *testing.T) {
	assertRefused(t, ErrNotInteger, `1e3`, `1E3`, `0e0`, `10e-1`, `1.5e1`, `1e400`)
}

func TestRefusesNegativeZero(t *testing.T) {
	assertRefused(t, ErrNotInteger, `-0`, `[-0]`, `{"a":-0}`)
}

func TestRefusesLoneSurrogates(t *testing.T) {
	assertRefused(t, ErrLoneSurrogate,
		`"\ud800"`, `"\udc00"`, `"\uDFFF"`, `"\ud800x"`, `"\ud800\n"`,
		`"\ud800\ud800"`, `"\udc00\ud800"`, `"\ud800\u0041"`, `{"\ud800":1}`, `"\ud83d\ude00\ud83d"`,
	)
}

func TestAcceptsSurrogatePairs(t *testing.T) {
	assertCanonical(t, `"😀"`, `"\ud83d\ude00"`)
	assertCanonical(t, "\"\U0010ffff\"", `"\uDBFF\uDFFF"`)
	assertCanonical(t, "\"\U00010000\"", `"\ud800\udc00"`)
	assertCanonical(t, "\"\uFFFD\"", `"\ufffd"`) // the replacement character itself is legal
	assertCanonical(t, "\"\uFFFD\"", "\"\uFFFD\"")
}

func TestRefusesInvalidUTF8(t *testing.T) {
	assertRefused(t, ErrInvalidUTF8,
		"\"\xff\"", "\"\xc3\"", "\"\xc0\x80\"", // an invalid byte, an incomplete character, an overlong one
		"\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", // an encoded surrogate, a character beyond the last
		"{\"\xfe\":1}", "1\xff", "\xff", "\xff\xfe{}",
	)
}

func TestRefusesTrailingData(t *testing.T) {
	assertRefused(t, ErrTrailingData, `{}{}`, `{} x`, `1 2`, `null,`, `[]]`, "{}\x00", `""""`, `truefalse`, `0x10`)
}

func TestRefusesTextThatIsNotJSON(t *testing.T) {
	assertRefused(t, ErrSyntax,
		``, ` `, `{`, `[`, `"`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `[1,]`, `[,1]`, `{,}`, `{a:1}`, `{1:1}`,
		`{'a':1}`, `nul`, `NaN`, `Infinity`, `-Infinity`, `-`, `+1`, `.5`, `01`, `-01`, `00`, `[1 2]`, `{"a" 1}`,
		`"\x41"`, `"\u12"`, `"\u12g4"`, `"\`, `"\u`, `"\ud800\u"`, `"\ud800\u12"`, `"\U0041"`, "\"\x01\"", "\"\\u004\x11\"", "\"a\nb\"", "\"\\n\x1f\"",
		"\ufeff{}", `/**/1`, "\v1", "\u00a01", `]`, `}`,
	)
}

func TestRefusesNestingThatIsTooDeep(t *testing.T) {
	nested := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	assertRefused(t, ErrTooDeep, nested(maxDepth+1), strings.Repeat(`{"a":`, maxDepth+1)+"1"+strings.Repeat("}", maxDepth+1))
	assertRefused(t, ErrTooDeep, strings.Repeat("[", 10_000_000)) // not closed, and not read to its end
	assertCanonical(t, nested(maxDepth), nested(maxDepth))
}

func TestErrorsSayWhere(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1.5}`:                "at byte 5",
		`{"key":1,"key":2}`:        `duplicate key "key"`,
		`{"a":1} {`:                "after the end of the value at byte 8",
		`{"a":`:                    "the text ends where a value was expected",
		`{"a" 1}`:                  "'1' where ':' was expected",
		"\"ab\xff\"":               "invalid UTF-8 at byte 3",
		`"x\ud800"`:                `lone surrogate \ud800 at byte 2`,
		`["` + "\n" + `"]`:         "an escape for this control character",
		strings.Repeat("1", 1<<20): `"` + strings.Repeat("1", 80) + `"... at byte 0`,
	} {
		_, err := CanonicalJSON([]byte(text))
		if assert.Error(t, err, "%.40q", text) {
			assert.Contains(t, err.Error(), want)
			assert.Less(t, len(err.Error()), 300)
		}
	}
}
