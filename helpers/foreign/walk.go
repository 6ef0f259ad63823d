package foreign

// longestPath bounds, in bytes, how much of a path is written out.
const longestPath = 200

// Place is where a value stands within the one that is walked through. It is valid while the value is visited.
type Place struct {
	around []level // what the value is in, from the outermost on
	name   Value
}

// level is an object or array whose members are being visited.
type level struct {
	members Members
	name    Value
}

// Name returns the name of the value, which elements of arrays do not have.
func (p Place) Name() Value { return p.name }

// String returns the path to the value: names with dots between them, "[]" for elements of arrays. A long one ends early,
// so that it costs the same at every depth.
func (p Place) String() string {
	path := p.Parent()
	if len(p.around) > 0 && len(path) <= longestPath {
		path = below(path, p.name)
	}
	return path
}

// Parent returns the path to what the value is in.
func (p Place) Parent() (path string) {
	for i := 1; i < len(p.around); i++ { // the first is the value that is walked through
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

// Walk visits the value and all values within it, each before those that are within it; visit returns whether to go on to
// those. It does not recurse.
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
