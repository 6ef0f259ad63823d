package hostile

// Documents: JSON objects that servers exchange besides events, as EDUs, queries and answers to queries. Every member of one, and its
// name, is a place for hostile values: where a user ID stands, a server may look for a member of a room.

import (
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
)

// Document is a valid object, from which hostile ones are made.
type Document struct {
	Name string // "a typing notification"
	// JSON may have placeholders in braces, which Write replaces. Those of hostile values are {peer}, {server}, {key} and {own key}
	// for a sender key of a member on either side, {own} for a user of the server, and {room}.
	JSON string
	// Around has {document} in place of the object; "" if nothing is around it.
	Around string
}

// DocumentInputs generates count inputs for documents in turn from a seed and a stream, always the same ones. Half of them have a single
// twist, and every second one of those has something else where a member of a room is named.
func DocumentInputs(documents []Document, seed, stream uint64, count int) (inputs []Input) {
	random := rand.New(rand.NewPCG(seed, stream))
	var each [][]Input
	for i := range documents {
		singles := alternating(spread(random, documents[i].singleTwists()), Twist.namesMember)
		each = append(each, mixed(random, singles, (count+len(documents)-1)/len(documents)))
	}
	for i := range count {
		inputs = append(inputs, each[i%len(each)][i/len(each)])
	}
	return inputs
}

// namesMember reports whether the twist names a member of a room in a wrong form, where one is named.
func (t Twist) namesMember() bool {
	last := t.place.path[len(t.place.path)-1]
	places := t.op == rename && strings.HasPrefix(last, "{") || t.op == set && slices.Contains(t.place.classes, userIDs)
	return places && slices.ContainsFunc(vocabulary[members], func(v Value) bool { return v.Name == t.value.Name })
}

// Document returns what the input changes, or nil if that is a member event.
func (in Input) Document() *Document { return in[0].document }

// singleTwists returns all possible twists of the document.
func (d *Document) singleTwists() (twists []Twist) {
	for _, where := range d.places(nil, parse([]byte(d.JSON))) {
		for _, each := range where.classes {
			for _, value := range vocabulary[each] {
				twists = append(twists, Twist{where, set, value, false, d})
			}
		}
		for _, each := range []class{members, userIDs, texts} {
			for _, value := range vocabulary[each] {
				twists = append(twists, Twist{where, rename, value, false, d})
			}
		}
		twists = append(twists, Twist{where, remove, Value{}, false, d}, Twist{where, double, vocabulary[types][0], false, d})
	}
	return twists
}

// places returns the members of an object at a path, at any depth.
func (d *Document) places(path []string, object *node) (found []place) {
	for _, m := range object.members {
		below := append(slices.Clone(path), strings.Trim(string(m.name), `"`))
		found = append(found, place{name: strings.Join(below, ".") + " of " + d.Name, path: below, classes: classesOf(m.value)})
		found = append(found, d.places(below, m.value)...)
	}
	return found
}

// classesOf returns the classes of hostile values in place of a valid one.
func classesOf(value *node) []class {
	switch raw := string(value.raw); {
	case value.members != nil, strings.HasPrefix(raw, "["):
		return []class{types, members, depths, sizes}
	case raw == `"{user}"`, raw == `"{own}"`:
		return []class{members, userIDs, types, keys, texts, sizes}
	case strings.HasPrefix(raw, `"`):
		return []class{types, members, texts, sizes}
	}
	return []class{types, numbers, members}
}

// Write returns the document with the twists of an input, and with texts for placeholders, given in pairs. It may be invalid JSON.
func (d *Document) Write(input Input, placeholders ...string) []byte {
	text := string(d.twisted(input).bytes())
	if d.Around != "" {
		text = strings.Replace(d.Around, "{document}", text, 1)
	}
	return []byte(strings.NewReplacer(placeholders...).Replace(text))
}

// Query is Write as the query of a URL, with the text of strings, and of everything else the JSON.
func (d *Document) Query(input Input, placeholders ...string) string {
	filled := strings.NewReplacer(placeholders...)
	var pairs []string
	for _, m := range d.twisted(input).members {
		name, value := filled.Replace(unquoted(m.name)), filled.Replace(unquoted(m.value.bytes()))
		pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	return strings.Join(pairs, "&")
}

// unquoted returns the text of a string, or what else it is as it is.
func unquoted(raw []byte) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return strings.Trim(string(raw), `"`)
}

func (d *Document) twisted(input Input) *node {
	object := parse([]byte(d.JSON))
	for _, twist := range input {
		twist.op.apply(object, twist.place.path, []byte(twist.value.Raw))
	}
	return object
}

// Shown returns a document for people: all of it, or its beginning and its length.
func Shown(document []byte, limit int) string { return Forged{JSON: document}.Shown(limit) }
