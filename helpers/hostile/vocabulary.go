package hostile

// The vocabulary: hostile values by class, and the places of a member event for them.

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Value is a hostile value. In Raw, {peer} stands for the server name of the peer, {server} for that of the server under test.
type Value struct {
	Name string // "a string of 70000 bytes"
	Raw  string // may be invalid JSON
	// smaller returns smaller values of the same kind, the smallest first; nil if there are none.
	smaller func() []Value
}

// class is a kind of values.
type class string

const (
	types     class = "types"
	numbers   class = "numbers"
	sizes     class = "sizes"
	depths    class = "depths"
	texts     class = "texts"
	userIDs   class = "user IDs"
	keys      class = "keys"
	signature class = "signatures"
	eventIDs  class = "event IDs"
	members   class = "members" // named in a wrong form
)

func plain(raws ...string) (values []Value) {
	for _, raw := range raws {
		values = append(values, Value{Name: raw, Raw: raw})
	}
	return values
}

// named makes values from pairs of name and raw text.
func named(pairs ...string) (values []Value) {
	for i := 0; i < len(pairs); i += 2 {
		values = append(values, Value{Name: pairs[i], Raw: pairs[i+1]})
	}
	return values
}

// growing makes values of increasing size: write returns the one with count elements. Shrinking tries smaller counts.
func growing(what string, write func(count int) string, counts ...int) (values []Value) {
	made := func(count int) Value { return Value{Name: fmt.Sprintf(what, count), Raw: write(count)} }
	for i, count := range counts {
		value := made(count)
		if i > 0 || count > 1 {
			value.smaller = func() (less []Value) {
				for _, fewer := range append([]int{1}, counts[:i]...) {
					less = append(less, made(fewer))
				}
				return less
			}
		}
		values = append(values, value)
	}
	return values
}

func quote(text string) string { return `"` + text + `"` }

// vocabulary holds the values of each class.
var vocabulary = map[class][]Value{
	types: plain(`null`, `true`, `false`, `0`, `-1`, `""`, `"x"`, `[]`, `{}`, `[null]`, `{"":null}`, `["x"]`, `{"x":"x"}`, `{"x":{"x":1}}`),
	numbers: append(plain(`9007199254740992`, `-9007199254740992`, `9223372036854775807`, `9223372036854775808`, `18446744073709551616`,
		`1.5`, `1e3`, `1e400`, `-0`, `1e-400`), growing("a number of %d digits", func(n int) string { return strings.Repeat("9", n) }, 300, 5000)...),
	sizes: append(growing("a string of %d bytes", func(n int) string { return quote(strings.Repeat("a", n)) }, 256, 70000),
		append(growing("an array of %d numbers", func(n int) string { return "[" + strings.Repeat("0,", n-1) + "0]" }, 100, 10000),
			growing("an object of %d members", manyMembers, 100, 3000)...)...),
	depths: append(growing("%d nested arrays", func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }, 100, 3000, 30000),
		growing("%d nested objects", func(n int) string { return strings.Repeat(`{"":`, n) + "0" + strings.Repeat("}", n) }, 100, 3000, 12000)...),
	texts: append(named(
		"an escaped NUL", `"\u0000"`, "an unescaped control character", "\"\x01\"", "a lone surrogate", `"\ud800"`, "swapped surrogates", `"\udc00\ud800"`,
		"invalid UTF-8", "\"\xff\xfe\"", "an overlong NUL", "\"\xc0\x80\"", "a surrogate in UTF-8", "\"\xed\xa0\x80\"",
		"a right-to-left override", "\"\u202egnorw\u202c\"", "a non-character", "\"\uffff\"", "a byte order mark", "\"\ufeffx\"", "an invalid escape", `"\x"`,
		"an unterminated string", `"x`,
	), growing("%d combining marks", func(n int) string { return quote("a" + strings.Repeat("\u0301", n)) }, 100, 10000)...),
	userIDs: append(named(
		"only a sigil", `"@"`, "a sigil and a colon", `"@:"`, "no server name", `"@a:"`, "no colon", `"@a"`, "no sigil", `"a:{peer}"`, "no localpart", `"@:{peer}"`,
		"another sigil", `"!a:{peer}"`, "an extra colon", `"@a:b:{peer}"`, "an invalid port", `"@a:{peer}:x"`, "a port out of range", `"@a:{peer}:99999999"`,
		"an unclosed bracket", `"@a:[::1"`, "a path", `"@a:{peer}/../x"`, "a user ID with a NUL", `"@a\u0000:{peer}"`, "spaces", `" @a:{peer} "`, "a line break", `"@a\n:{peer}"`,
		"a user ID with a lone surrogate", `"@\ud800:{peer}"`, "a percent sign", `"@a%00:{peer}"`, "the server itself", `"@_unverified_a_b:{server}"`, "a full-width sigil", "\"\uff20a:{peer}\"",
	), growing("a localpart of %d bytes", func(n int) string { return quote("@" + strings.Repeat("a", n) + ":{peer}") }, 300, 60000)...),
	eventIDs: append(append(plain(`[]`, `["$"]`, `[""]`, `[null]`, `[0]`, `["x"]`, `{}`, `null`), named(
		"an unknown event", `["$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]`, "the format of room versions 1 and 2", `[["$a:{peer}",{"sha256":"AA"}]]`,
		"an event ID with a lone surrogate", `["$\ud800"]`,
	)...), growing("one unknown event %d times", func(n int) string {
		return "[" + strings.Repeat(quote("$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")+",", n-1) + quote("$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") + "]"
	}, 25, 1000)...),
	members: named(
		"the sender key of a member", `"{key}"`, "the sender key of a user of the server", `"{own key}"`, "a sender key with a sigil", `"@{key}"`,
		"a sender key with a server name", `"@{key}:{peer}"`, "a sender key with the server's own name", `"@{key}:{server}"`,
		"a placeholder", `"@_unverified_a_{peer}:{server}"`, "a user of the server", `"{own}"`, "a user of a third server", `"@a:third.invalid"`, "the room", `"{room}"`,
	),
	keys:      keyValues(),
	signature: signatureValues(),
}

func manyMembers(n int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `,"m%d":0`, i)
	}
	return "{" + text.String()[1:] + "}"
}

// keyValues returns invalid and dangerous sender keys.
func keyValues() []Value {
	standard := base64.RawStdEncoding.EncodeToString
	some := decoded("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")[0] // a test vector of RFC 8032
	values := named(
		"no key", `""`, "31 bytes", quote(standard(some[:31])), "33 bytes", quote(standard(append(some[:32:32], 0))), "64 bytes", quote(standard(append(some[:32:32], some...))),
		"padding", quote(base64.StdEncoding.EncodeToString(some)), "hexadecimal digits", quote(hex.EncodeToString(some)),
		"leftover bits", quote(standard(some)[:42]+"p"), "a line break", quote(standard(some)[:20]+`\n`+standard(some)[20:]),
		"the URL-safe alphabet", quote(base64.RawURLEncoding.EncodeToString(append(some[:29:29], 0xff, 0xff, 0x7f))), "invalid base64", `"!*!"`,
		"not a point of the curve", quote(standard(noPoint)), "a user ID", `"@a:{peer}"`,
	)
	for i, point := range smallOrder {
		values = append(values, Value{Name: fmt.Sprintf("a point of small order (%d)", i+1), Raw: quote(standard(point))})
	}
	for i, point := range notCanonical {
		values = append(values, Value{Name: fmt.Sprintf("a point in another encoding (%d)", i+1), Raw: quote(standard(point))})
	}
	return values
}

// Placeholders for signatures that are derived from the valid one.
const (
	malleableSignature = "{malleable}"
	paddedSignature    = "{padded}"
	doubledSignature   = "{doubled}"
)

func signatureValues() []Value {
	standard := base64.RawStdEncoding.EncodeToString
	return named(
		"no signature", `""`, "63 bytes", quote(standard(make([]byte, 63))), "65 bytes", quote(standard(make([]byte, 65))), "zeros", quote(standard(make([]byte, 64))),
		"ones", quote(strings.Repeat("/", 85)+"w"), "the group order added to S", quote(malleableSignature), "padding", quote(paddedSignature),
		"the signature twice", quote(doubledSignature), "invalid base64", `"!*!"`,
	)
}

// place is a field of a member event. In paths, {peer}, {server key ID}, {key} and the like stand for names of the event.
type place struct {
	name    string
	path    []string
	classes []class // of its values, besides types; a class may be there twice
	signed  bool    // it is set before the event is hashed and signed
	absent  bool    // valid events may lack it
}

// mappingAt returns a path in the mapping.
func mappingAt(path ...string) []string { return append([]string{"content", "mxid_mapping"}, path...) }

// places are the places for values. The first is not a field: it is the sender key in all places in the event.
var places = []place{
	{"the sender key in all places", nil, []class{keys, keys, texts, sizes}, true, false},
	{"mapping", mappingAt(), []class{sizes, depths, texts}, true, false},
	{"user_id of the mapping", mappingAt("user_id"), []class{userIDs, userIDs, texts, sizes, depths}, true, false},
	{"key of the mapping", mappingAt("{mapping key}"), []class{keys, keys, texts, sizes}, true, false},
	{"a further field of the mapping", mappingAt("further"), []class{numbers, depths, texts, sizes}, true, true},
	{"signatures of the mapping", mappingAt("signatures"), []class{depths, sizes}, true, false},
	{"signatures of the mapping by the server", mappingAt("signatures", "{peer}"), []class{depths, sizes}, true, false},
	{"the signature of the mapping", mappingAt("signatures", "{peer}", "{server key ID}"), []class{signature, signature, texts}, true, false},
	{"content", []string{"content"}, []class{depths, sizes}, true, false},
	{"membership", []string{"content", "membership"}, []class{texts, sizes}, true, false},
	{"displayname", []string{"content", "displayname"}, []class{texts, texts, sizes, depths, numbers}, true, true},
	{"avatar_url", []string{"content", "avatar_url"}, []class{texts, sizes, depths}, true, true},
	{"join_authorised_via_users_server", []string{"content", "join_authorised_via_users_server"}, []class{userIDs, keys, texts}, true, true},
	{"third_party_invite", []string{"content", "third_party_invite"}, []class{depths, sizes}, true, true},
	{"a further field of the content", []string{"content", "further"}, []class{numbers, depths, texts, sizes}, true, true},
	{"sender", []string{"{sender}"}, []class{keys, keys, userIDs, texts, sizes}, true, false},
	{"state_key", []string{"state_key"}, []class{keys, userIDs, texts, sizes}, true, false},
	{"type", []string{"type"}, []class{texts, sizes}, true, false},
	{"room_id", []string{"room_id"}, []class{texts, sizes}, true, false},
	{"prev_events", []string{"prev_events"}, []class{eventIDs, eventIDs, depths, sizes}, true, false},
	{"auth_events", []string{"auth_events"}, []class{eventIDs, eventIDs, depths, sizes}, true, false},
	{"depth", []string{"depth"}, []class{numbers, numbers}, true, false},
	{"origin_server_ts", []string{"origin_server_ts"}, []class{numbers, numbers}, true, false},
	{"redacts", []string{"redacts"}, []class{texts, eventIDs}, true, true},
	{"a further field of the event", []string{"further"}, []class{numbers, depths, texts, sizes}, true, true},
	{"unsigned", []string{"unsigned"}, []class{numbers, depths, sizes, texts}, false, true},
	{"hashes", []string{"hashes"}, []class{depths, sizes}, false, false},
	{"the hash", []string{"hashes", "sha256"}, []class{texts, sizes}, false, false},
	{"signatures", []string{"signatures"}, []class{depths, sizes}, false, false},
	{"signatures by the sender key", []string{"signatures", "{entity}"}, []class{depths, sizes}, false, false},
	{"the signature by the sender key", []string{"signatures", "{entity}", "{key ID}"}, []class{signature, signature, texts}, false, false},
}
