package hostile

// Lenient JSON: objects may have duplicate members, and values may be invalid. It has a canonical form anyway, so that it can be
// hashed and signed.

import (
	"bytes"
	"slices"

	"msc4014/helpers/foreign"
)

// node is a value: an object if members is not nil, else raw text.
type node struct {
	raw     []byte
	members []member
}

type member struct {
	name  []byte // raw, with quotation marks
	value *node
}

// quoted returns a name in quotation marks. It must not need escapes.
func quoted(name string) []byte { return []byte(`"` + name + `"`) }

// parse parses JSON. Arrays, and what is not JSON, are kept as raw text.
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

// write appends the value, with members sorted by name.
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

// get returns the last member of that name, which most parsers use, or nil.
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

// apply changes what stands at a path, unless another twist removed that. raw is the new value, or name.
func (o operation) apply(root *node, path []string, raw []byte) {
	holder, last := root.at(path), path[len(path)-1]
	if holder == nil {
		return
	}
	switch o {
	case set:
		holder.set(last, &node{raw: raw})
	case remove:
		holder.remove(last)
	case double:
		holder.add(last, &node{raw: raw})
	case rename:
		holder.rename(last, raw)
	}
}

// rename gives the members of that name another one, which is raw text with quotation marks.
func (n *node) rename(name string, raw []byte) {
	for i, m := range n.members {
		if bytes.Equal(m.name, quoted(name)) {
			n.members[i].name = raw
		}
	}
}

// without returns the object without some members, or the value itself if it is not an object.
func (n *node) without(names ...string) *node {
	if n.members == nil {
		return n
	}
	rest := &node{members: slices.Clone(n.members)}
	rest.remove(names...)
	return rest
}

// at returns the object that contains the last name of a path, or nil.
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
