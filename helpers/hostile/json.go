package hostile

// JSON without judgement: members stand in any order and twice, and what is no JSON at all can be written. A canonical
// form is made of it all the same, so that it can be hashed and signed.

import (
	"bytes"
	"slices"

	"msc4014/helpers/foreign"
)

// node is a value: an object if members is not nil, else what stands in raw.
type node struct {
	raw     []byte
	members []member
}

type member struct {
	name  []byte // as it stands, with its quotes
	value *node
}

// quoted is a name in quotes; the names that are looked for need no escapes.
func quoted(name string) []byte { return []byte(`"` + name + `"`) }

// parse reads JSON. Arrays stay as they stand, and so does what is not JSON.
func parse(raw []byte) *node {
	value, err := foreign.Parse(raw)
	if err != nil {
		return &node{raw: raw}
	}
	return nodeOf(value)
}

func nodeOf(value foreign.Value) *node {
	if !value.IsObject() {
		return &node{raw: []byte(value.Raw())}
	}
	n, members := &node{members: []member{}}, value.Members()
	for name, value, more := members.Next(); more; name, value, more = members.Next() {
		n.members = append(n.members, member{[]byte(name.Raw()), nodeOf(value)})
	}
	return n
}

// write appends the value, members in the order of their names.
func (n *node) write(to []byte) []byte {
	if n.members == nil {
		return append(to, n.raw...)
	}
	ordered := slices.Clone(n.members)
	slices.SortStableFunc(ordered, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	to = append(to, '{')
	for i, m := range ordered {
		if i > 0 {
			to = append(to, ',')
		}
		to = m.value.write(append(append(to, m.name...), ':'))
	}
	return append(to, '}')
}

func (n *node) bytes() []byte { return n.write(nil) }

// get returns the last member of that name, which is the one that most servers read; nil if there is none.
func (n *node) get(name string) *node {
	for i := len(n.members) - 1; i >= 0; i-- {
		if bytes.Equal(n.members[i].name, quoted(name)) {
			return n.members[i].value
		}
	}
	return nil
}

// set replaces all members of that name by one.
func (n *node) set(name string, value *node) {
	n.remove(name)
	n.add(name, value)
}

func (n *node) add(name string, value *node) {
	n.members = append(n.members, member{quoted(name), value})
}

func (n *node) remove(names ...string) {
	n.members = slices.DeleteFunc(n.members, func(m member) bool {
		return slices.ContainsFunc(names, func(name string) bool { return bytes.Equal(m.name, quoted(name)) })
	})
}

// without returns the object without some members, and the value as it is if it is no object.
func (n *node) without(names ...string) *node {
	if n.members == nil {
		return n
	}
	rest := &node{members: slices.Clone(n.members)}
	rest.remove(names...)
	return rest
}

// at walks to the object that holds the last name of a path; nil if there is none.
func (n *node) at(path []string) *node {
	for _, name := range path[:len(path)-1] {
		if n = n.get(name); n == nil {
			return nil
		}
	}
	if n.members == nil {
		return nil
	}
	return n
}
