package twins

// Comparing two answers in normal form, and naming what differs.

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Difference is something that clients get in one kind of room and not in the other.
type Difference struct {
	Step     string // the kind of the step, or "look"
	Endpoint string // of the view: "/sync timeline", "answer"
	Field    string // what differs, without what is particular to one session: "m.room.member.content.displayname"
	Ordinary string // what the ordinary room has there
	Pseudo   string // what the pseudo-ID room has
	StepID   int
	User     int  // who sees it
	Outside  bool // the user's server cannot know who is in the room (player.outside), or this user (player.strange)
	Inviter  bool // the ordinary room has the user ID there of who invited the user
	Lazy     bool // the user asked for lazily loaded members before, in an earlier step, and does again
	// Parts says that one room took the request and the other did not, or that an event crossed between servers in one alone: what
	// follows cannot be compared.
	Parts bool
}

// Name identifies a difference, whatever session shows it.
func (d Difference) Name() string { return d.Step + ": " + d.Endpoint + ": " + d.Field }

// losesEvent reports whether a user was told of an event in one kind of room alone, or of one whose sender or state key differs.
func (d Difference) losesEvent() bool { return d.Endpoint == "/sync timeline" && isWhole(d.Field) }

// isWhole reports whether a path in a list of events names an event, and nothing in it.
func isWhole(path string) bool { return path != "" && strings.IndexByte(path, ']') == len(path)-1 }

// isLost reports whether one side lacks an event, which the other side does not have under another sender or state key.
func isLost(fields []field, path string) bool {
	balance := 0
	for _, each := range fields {
		switch {
		case each.path != path:
		case each.a == nothingThere:
			balance--
		case each.b == nothingThere:
			balance++
		}
	}
	return isWhole(path) && balance != 0
}

// where is the name without the step.
func (d Difference) where() string { return d.Endpoint + ": " + d.Field }

// Cause is what several differences are likely to have in common: the field, wherever events of any type have it.
func (d Difference) Cause() string {
	at := strings.LastIndexByte(d.Field, ']')
	switch {
	case d.losesEvent():
		return d.where()
	case d.Parts || at < 0:
		return d.Name()
	case at < len(d.Field)-1:
		return d.Field[at+2:]
	}
	return d.Field[strings.LastIndexByte(d.Field, '['):]
}

// field is a difference between two values.
type field struct{ path, a, b string }

// compare returns what differs between two values in normal form.
func compare(a, b any) []field {
	var found []field
	differ(a, b, "", func(path string, a, b any) {
		found = append(found, field{strings.TrimPrefix(path, "."), brief(a), brief(b)})
	})
	return found
}

// nothingThere is what a difference says of a side that lacks the field.
const nothingThere = "nothing"

// missing stands for a member that is not there.
type missing struct{}

func differ(a, b any, path string, report func(path string, a, b any)) {
	if reflect.DeepEqual(a, b) {
		return
	}
	switch of := a.(type) {
	case fields:
		if other, same := b.(fields); same {
			differObjects(of, other, path, report)
			return
		}
	case []any:
		if other, same := b.([]any); same {
			differLists(of, other, path, report)
			return
		}
	}
	report(path, a, b)
}

func differObjects(a, b fields, path string, report func(string, any, any)) {
	for _, key := range slices.Sorted(maps.Keys(a)) {
		if other, both := b[key]; both {
			differ(a[key], other, path+"."+general(key), report)
		} else {
			report(path+"."+general(key), a[key], missing{})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if _, both := a[key]; !both {
			report(path+"."+general(key), missing{}, b[key])
		}
	}
}

// differLists compares what both have, by the ID of events, and reports what only one has, or another order.
func differLists(a, b []any, path string, report func(string, any, any)) {
	if slices.EqualFunc(a, b, func(a, b any) bool { return identity(a) == identity(b) }) {
		for i := range a {
			differ(a[i], b[i], path+label(a[i]), report)
		}
		return
	}
	inB := map[string][]any{}
	for _, each := range b {
		inB[identity(each)] = append(inB[identity(each)], each)
	}
	same := true
	for _, each := range a {
		id := identity(each)
		if len(inB[id]) == 0 {
			report(path+label(each), each, missing{})
			same = false
			continue
		}
		differ(each, inB[id][0], path+label(each), report)
		inB[id] = inB[id][1:]
	}
	for _, each := range b {
		if id := identity(each); len(inB[id]) > 0 {
			report(path+label(each), missing{}, each)
			inB[id] = inB[id][1:]
			same = false
		}
	}
	if same {
		report(path+" (order)", identities(a), identities(b))
	}
}

// identity tells the elements of a list apart.
func identity(value any) string {
	if object, is := value.(fields); is {
		for _, within := range []string{"event", "result"} {
			if inner, nested := object[within].(fields); nested {
				object = inner
			}
		}
		if id, named := object["event_id"].(string); named {
			return id
		}
		if eventType, typed := object["type"].(string); typed {
			return stateName(eventType, fmt.Sprint(object["state_key"]))
		}
		return "object"
	}
	return asJSON(value)
}

func identities(list []any) (all []any) {
	for _, each := range list {
		all = append(all, identity(each))
	}
	return all
}

// label names an element of a list by its type.
func label(value any) string {
	if object, is := value.(fields); is {
		if eventType, typed := object["type"].(string); typed {
			return "[" + eventType + "]"
		}
	}
	return "[]"
}

// general returns a key without what is particular to a session: IDs, and the state keys of events.
func general(key string) string {
	if eventType, _, isState := strings.Cut(key, "|"); isState {
		return "[" + eventType + "]"
	}
	if key != "" && strings.ContainsRune("@$!#", rune(key[0])) {
		return string(key[0]) + "id"
	}
	return key
}

// longest is how much of a value a difference quotes.
const longest = 240

func brief(value any) string {
	if _, is := value.(missing); is {
		return nothingThere
	}
	text := asJSON(value)
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return text
}
