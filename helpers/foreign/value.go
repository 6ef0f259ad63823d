package foreign

// JSON values that can be visited in linear time. gjson searches the end of an object each time it steps over it, once for every
// level around; here Parse finds the ends once.

import (
	"errors"
	"strings"

	"github.com/tidwall/gjson"
)

// Value is a JSON value. The zero Value means that there is none.
type Value struct {
	doc        *document
	start, end int // of its text
	// container is the index of an array or object, in the order in which they open; -1 for other values.
	container int
}

// document is a JSON text with matched brackets.
type document struct {
	text string
	// ends holds the index after each container, behind the number of the first container after it.
	ends, behind []int32
	// scanned, in tests, is called with the number of bytes scanned.
	scanned func(bytes int)
}

// Parse parses one JSON value. The error is an *Error if it is out of bounds.
func Parse(raw []byte) (Value, error) {
	if err := check(raw); err != nil {
		return Value{}, err
	}
	if !gjson.ValidBytes(raw) {
		return Value{}, errors.New("the body is not JSON")
	}
	doc := &document{text: string(raw)}
	doc.match()
	return doc.at(skipSpace(doc.text, 0), 0), nil
}

// match finds the end of every container.
func (d *document) match() {
	var open []int32
	for i := 0; i < len(d.text); i++ {
		switch d.text[i] {
		case '"':
			i = stringEnd(d.text, i) - 1
		case '[', '{':
			open = append(open, int32(len(d.ends)))
			d.ends, d.behind = append(d.ends, 0), append(d.behind, 0)
		case ']', '}':
			last := open[len(open)-1]
			open = open[:len(open)-1]
			d.ends[last], d.behind[last] = int32(i+1), int32(len(d.ends))
		}
	}
}

// at returns the value whose text begins at i; next is the container that opens next.
func (d *document) at(i, next int) Value {
	switch d.text[i] {
	case '[', '{':
		return Value{d, i, int(d.ends[next]), next}
	case '"':
		return Value{d, i, stringEnd(d.text, i), -1}
	}
	end := i
	for end < len(d.text) && strings.IndexByte(",]} \t\r\n", d.text[end]) < 0 {
		end++
	}
	return Value{d, i, end, -1}
}

func skipSpace(text string, i int) int {
	for i < len(text) && text[i] <= ' ' {
		i++
	}
	return i
}

// Raw returns the text of the value, or "".
func (v Value) Raw() string {
	if v.doc == nil {
		return ""
	}
	return v.doc.text[v.start:v.end]
}

// Exists reports whether there is a value, which may be null.
func (v Value) Exists() bool { return v.doc != nil }

// IsObject reports whether the value is an object.
func (v Value) IsObject() bool { return v.begins('{') }

// IsArray reports whether the value is an array.
func (v Value) IsArray() bool { return v.begins('[') }

// IsString reports whether the value is a string.
func (v Value) IsString() bool { return v.begins('"') }

func (v Value) begins(with byte) bool { return v.doc != nil && v.doc.text[v.start] == with }

// String returns the decoded string, "" for null, and the text of any other value.
func (v Value) String() string {
	switch raw := v.Raw(); {
	case v.IsString() && !strings.Contains(raw, `\`):
		return raw[1 : len(raw)-1]
	case v.IsString():
		return gjson.Parse(raw).String()
	case raw == "null":
		return ""
	default:
		return raw
	}
}

// Members iterates over the members of an object or the elements of an array.
type Members struct {
	of      Value
	at      int // where the text of the next one begins
	opening int // the container that opens next
}

// Members returns an iterator over all members or elements; other values have none.
func (v Value) Members() Members {
	if !v.IsObject() && !v.IsArray() {
		return Members{}
	}
	return Members{v, skipSpace(v.doc.text, v.start+1), v.container + 1}
}

// Next returns the next member and its name, which elements of arrays do not have; ok is false at the end.
func (m *Members) Next() (name, value Value, ok bool) {
	d := m.of.doc
	if m.at >= m.of.end-1 {
		return Value{}, Value{}, false
	}
	i := m.at
	if m.of.IsObject() {
		name = d.at(i, m.opening)
		i = skipSpace(d.text, skipSpace(d.text, name.end)+1) // over the colon
	}
	value = d.at(i, m.opening)
	scanned := value.end - m.at
	if value.container >= 0 {
		m.opening, scanned = int(d.behind[m.opening]), i+1-m.at
	}
	if d.scanned != nil {
		d.scanned(scanned)
	}
	m.at = skipSpace(d.text, skipSpace(d.text, value.end)+1) // over the comma
	return name, value, true
}

// Each calls visit for each member of an object or element of an array, which has no name, until visit returns false.
func (v Value) Each(visit func(name, value Value) bool) {
	members := v.Members()
	for name, value, ok := members.Next(); ok && visit(name, value); {
		name, value, ok = members.Next()
	}
}

// Get returns the value at a path of names in nested objects; of duplicate names the first one counts.
func (v Value) Get(names ...string) Value {
	for _, wanted := range names {
		var found Value
		if v.IsObject() {
			v.Each(func(name, value Value) bool {
				if name.String() == wanted {
					found = value
				}
				return !found.Exists()
			})
		}
		v = found
	}
	return v
}
