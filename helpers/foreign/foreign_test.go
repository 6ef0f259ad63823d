package foreign

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
)

// nested returns a value of so many nested arrays or objects.
func nested(begin, end string, levels int) string {
	return strings.Repeat(begin, levels) + "0" + strings.Repeat(end, levels)
}

func TestReadRefusesBodiesOutOfBounds(t *testing.T) {
	for name, each := range map[string]struct {
		body io.Reader
		err  error
	}{
		"a small body":                    {strings.NewReader(`{"a":1}`), nil},
		"not JSON":                        {strings.NewReader("<html>"), nil},
		"6 MB of [":                       {strings.NewReader(strings.Repeat("[", 6<<20)), ErrTooDeep},
		"6 MB of [ behind other text":     {strings.NewReader(`]}" \" ",` + strings.Repeat(`{"a":[`, 1<<20)), ErrTooDeep},
		"as deep as may be":               {strings.NewReader(nested("[", "]", MaxDepth)), nil},
		"one level more":                  {strings.NewReader(nested("[", "]", MaxDepth+1)), ErrTooDeep},
		"objects, one level too many":     {strings.NewReader(nested(`{"":`, "}", MaxDepth+1)), ErrTooDeep},
		"many brackets beside each other": {strings.NewReader("[" + strings.Repeat("[],", MaxDepth) + "[]]"), nil},
		"brackets in a string":            {strings.NewReader(`["` + strings.Repeat(`\"[`, 6<<20) + `"]`), nil},
		"as large as may be":              {spaces(MaxBytes), nil},
		"one byte more":                   {spaces(MaxBytes + 1), ErrTooLarge},
		"deep, and broken off":            {io.MultiReader(strings.NewReader(strings.Repeat("[", 6<<20)), iotest.ErrReader(io.ErrUnexpectedEOF)), ErrTooDeep},
		"broken off":                      {io.MultiReader(strings.NewReader("{"), iotest.ErrReader(io.ErrUnexpectedEOF)), io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			read, err := Read(each.body)
			assert.ErrorIs(t, err, each.err)
			if refused := new(Error); errors.As(err, &refused) {
				assert.LessOrEqual(t, len(read), kept)
				assert.NotEmpty(t, read, "the beginning is kept, as evidence")
			}
			assert.NoError(t, check(read), "what is returned is within bounds")
		})
	}
}

// spaces returns a reader of so many spaces.
func spaces(count int64) io.Reader { return io.LimitReader(spacesWithoutEnd{}, count) }

type spacesWithoutEnd struct{}

func (spacesWithoutEnd) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = ' '
	}
	return len(into), nil
}

func TestErrorsNameTheBound(t *testing.T) {
	assert.EqualError(t, ErrTooLarge, "the body is larger than 64 MiB")
	assert.EqualError(t, ErrTooDeep, "the body nests deeper than 33024 levels")
}

// TestDepthBoundRefusesNoLegalEvent: the longest legal event that consists of brackets, a few levels down in a /sync.
func TestDepthBoundRefusesNoLegalEvent(t *testing.T) {
	event := `{"type":"a","content":` + strings.Repeat("[", 32768) + strings.Repeat("]", 32768) + `}`
	answer := `{"rooms":{"join":{"!r":{"timeline":{"events":[` + event + `]}}}}}`
	_, err := Read(strings.NewReader(answer))
	assert.NoError(t, err)
	value, err := Parse([]byte(answer))
	require.NoError(t, err)
	assert.Equal(t, answer, value.Raw())
}

func TestCheckWorkCountsNestedScans(t *testing.T) {
	for name, each := range map[string]struct {
		body string
		err  error
	}{
		"an event of brackets":            {nested("[", "]", 32768), nil},
		"three of them":                   {"[" + nested("[", "]", 32000) + "," + nested("[", "]", 32000) + "," + nested("[", "]", 32000) + "]", nil},
		"five of them":                    {"[" + strings.Repeat(nested("[", "]", 32000)+",", 5) + "0]", ErrTooMuchWork},
		"one, and open":                   {strings.Repeat("[", 1<<17), ErrTooMuchWork},
		"32 MB, not deep":                 {strings.Repeat("[", 100) + strings.Repeat("0", 32<<20) + strings.Repeat("]", 100), nil},
		"32 MB, deeper":                   {strings.Repeat("[", 200) + strings.Repeat("0", 32<<20) + strings.Repeat("]", 200), ErrTooMuchWork},
		"32 MB beside what is deep":       {"[" + nested("[", "]", 9000) + `,"` + strings.Repeat("[", 32<<20) + `"]`, nil},
		"brackets that close nothing":     {strings.Repeat("]", 1<<20), nil},
		"a string without an end, deeply": {strings.Repeat("[", 1<<10) + `"` + strings.Repeat(`\\`, 1<<22), ErrTooMuchWork},
	} {
		assert.ErrorIs(t, CheckWork([]byte(each.body)), each.err, name)
	}
	assert.EqualError(t, ErrTooMuchWork, "the body nests too deep for its size")
}

func TestParseRefusesWhatIsNotJSON(t *testing.T) {
	for _, text := range []string{"", " ", "{", "[}", "]", `{"a"}`, "[1,]", "1 2", `"a`, strings.Repeat("[", 6<<20)} {
		_, err := Parse([]byte(text))
		assert.Error(t, err, "%.20q", text)
	}
}

// TestValuesEqualThoseOfGJSON compares every visited value with that of gjson.
func TestValuesEqualThoseOfGJSON(t *testing.T) {
	texts := []string{
		`null`, ` true `, `-1.5e3`, `"a\"\u0041\\"`, `[]`, `{}`, ` [ ] `, "{\n}", `[1,[2,[3,{"a":[]}],4],{"b":{}},"]"]`,
		`{"a":1,"a":2,"b\u0041":[{"c":null},"x{"],"":{"":{"":[]}}}`, " { \"a\" : [ 1 , \"b\" , { } ] , \"c\" : { \"d\" : [ ] } } ",
		`[[[]],[],[[[],[]],[]],{"a":[[]]}]`, `["\\","[\\\""]`, nested(`{"a":[`, "]}", 500), `{"a":{"b":"x"},"content":{"a.b":{"*":1}}}`,
	}
	for _, text := range texts {
		value, err := Parse([]byte(text))
		require.NoError(t, err, "%.60s", text)
		compare(t, gjson.Parse(text), value)
	}
}

func compare(t *testing.T, expected gjson.Result, got Value) {
	require.Equal(t, strings.TrimSpace(expected.Raw), got.Raw())
	require.Equal(t, expected.IsObject(), got.IsObject())
	require.Equal(t, expected.IsArray(), got.IsArray())
	require.Equal(t, expected.Type == gjson.String, got.IsString())
	if expected.Type == gjson.String || expected.Type == gjson.Null {
		require.Equal(t, expected.String(), got.String())
	}
	var names, values []gjson.Result
	if got.IsObject() || got.IsArray() {
		expected.ForEach(func(name, value gjson.Result) bool {
			names, values = append(names, name), append(values, value)
			return true
		})
	}
	place := 0
	got.Each(func(name, value Value) bool {
		require.Less(t, place, len(values))
		if got.IsObject() {
			require.Equal(t, names[place].Raw, name.Raw())
			require.Equal(t, expected.Get(gjson.Escape(name.String())).Raw, got.Get(name.String()).Raw(), "the first of that name")
		} else {
			require.False(t, name.Exists())
		}
		compare(t, values[place], value)
		place++
		return true
	})
	require.Len(t, values, place)
}

func TestGetFollowsPaths(t *testing.T) {
	value, err := Parse([]byte(`{"a":{"b.c":[{"d":1}]},"n":null}`))
	require.NoError(t, err)
	assert.Equal(t, `[{"d":1}]`, value.Get("a", "b.c").Raw())
	assert.Equal(t, value.Raw(), value.Get().Raw())
	assert.True(t, value.Get("n").Exists())
	for _, names := range [][]string{{"b"}, {"a", "b.c", "d"}, {"n", "x"}, {"a", "b.c", "0"}, {"b", "c", "d"}} {
		assert.Equal(t, Value{}, value.Get(names...), "%q", names)
	}
	var none Value
	none.Each(func(Value, Value) bool { t.Fatal("there is nothing to visit"); return true })
	assert.Empty(t, none.String())
}

func TestEachStopsWhenVisitReturnsFalse(t *testing.T) {
	value, err := Parse([]byte(`[1,[2],3]`))
	require.NoError(t, err)
	visited := 0
	value.Each(func(Value, Value) bool { visited++; return visited < 2 })
	assert.Equal(t, 2, visited)
}

func TestWalkIsPreOrder(t *testing.T) {
	const text = `{"a":[1,{"b":[true]},["no"]],"c":{"d.e":null}}`
	value, err := Parse([]byte(text))
	require.NoError(t, err)
	var visited [][]string
	value.Walk(func(at Place, value Value) bool {
		visited = append(visited, []string{at.Parent(), at.Name().String(), at.String(), value.Raw()})
		return value.Raw() != `["no"]`
	})
	assert.Equal(t, [][]string{
		{"", "", "", text},
		{"", "a", "a", `[1,{"b":[true]},["no"]]`},
		{"a", "", "a[]", `1`},
		{"a", "", "a[]", `{"b":[true]}`},
		{"a[]", "b", "a[].b", `[true]`},
		{"a[].b", "", "a[].b[]", `true`},
		{"a", "", "a[]", `["no"]`},
		{"", "c", "c", `{"d.e":null}`},
		{"c", "d.e", "c.d.e", `null`},
	}, visited)
	value.Walk(func(Place, Value) bool { return false })
}

func TestPathsAreBounded(t *testing.T) {
	value, err := Parse([]byte(nested(`{"`+strings.Repeat("a", 1000)+`":`, "}", 1000)))
	require.NoError(t, err)
	value.Walk(func(at Place, _ Value) bool {
		require.LessOrEqual(t, len(at.String()), 3*longestPath)
		return true
	})
}

// TestVisitingTakesLinearWork visits everything and counts the scanned bytes.
func TestVisitingTakesLinearWork(t *testing.T) {
	for name, text := range map[string]string{
		"nested arrays":           nested("[", "]", MaxDepth),
		"nested objects":          nested(`{"a":`, "}", MaxDepth),
		"wide objects, nested":    nested(`{"a":1,"b":[],"c":"ccccccccccccc","d":`, "}", MaxDepth-1),
		"a long string far down":  nested(`[`, "]", MaxDepth/2) + strings.Repeat(" ", 100000),
		"a long array":            "[" + strings.Repeat(`{"a":[[]]},`, 100000) + "0]",
		"a long array, far down":  strings.Repeat("[", MaxDepth-10) + strings.Repeat(`"aaaaaaaaaa",[],`, 100000) + "0" + strings.Repeat("]", MaxDepth-10),
		"an object of many names": manyNames(100000),
	} {
		t.Run(name, func(t *testing.T) {
			value, err := Parse([]byte(text))
			require.NoError(t, err)
			scanned := 0
			value.doc.scanned = func(bytes int) { scanned += bytes }
			value.Walk(func(Place, Value) bool { return true })
			assert.LessOrEqual(t, scanned, len(text))
			assert.Greater(t, scanned, len(text)/20, "it was counted")
		})
	}
}

func manyNames(count int) string {
	members := map[string]int{}
	for i := range count {
		members[fmt.Sprintf("name%d", i)] = i
	}
	text, _ := json.Marshal(members) // strings and numbers
	return string(text)
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{`{"a":[1,"\""],"b":{}}`, "[", `[[],[]]`, ` "x" `, `{"":{}}x`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, err := Parse([]byte(text))
		if err == nil {
			compare(t, gjson.Parse(text), value)
		}
	})
}
