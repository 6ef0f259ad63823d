package foreign

// longestPath bounds the text of a path, in bytes.
const longestPath = 200

// Place is the position of a value in a walk. It is valid only while the value is visited.
type Place struct {
	around []level // the containers of the value, the outermost first
	name   Value
}

// level is an object or array that is being visited.
type level struct {
	members Members
	name    Value
}

// Name returns the name of the value, which elements of arrays do not have.
func (p Place) Name() Value { return p.name }

// String returns the path to the value: names separated by dots, "[]" for elements of arrays. Long paths are cut, so that the cost
// does not grow with the depth.
func (p Place) String() string {
	path := p.Parent()
	if len(p.around) > 0 && len(path) <= longestPath {
		path = below(path, p.name)
	}
	return path
}

// Parent returns the path to the container of the value.
func (p Place) Parent() (path string) {
	for i := 1; i < len(p.around); i++ { // the first is the root
		if path = below(path, p.around[i].name); len(path) > longestPath {
			return path + "..."
		}
	}
	return path
}

// below extends a path by a name.
func below(path string, name Value) string {
	text := name.String()
	text = text[:min(len(text), longestPath)]
	switch {
	case !name.Exists():
		return path + "[]"
	case path == "":
		return text
	}
	return path + "." + text
}

// Walk visits the value and all values within it in pre-order; visit returns whether to visit those within a value. It does not
// recurse.
func (v Value) Walk(visit func(at Place, value Value) (within bool)) {
	if !visit(Place{}, v) {
		return
	}
	around := []level{{members: v.Members()}}
	for len(around) > 0 {
		name, value, ok := around[len(around)-1].members.Next()
		switch {
		case !ok:
			around = around[:len(around)-1]
		case visit(Place{around, name}, value):
			around = append(around, level{value.Members(), name})
		}
	}
}
