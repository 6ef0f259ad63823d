package differential

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"msc4014/helpers/pseudoid"
)

// This file has the seeds of the fuzz targets.

// hostileTexts are texts about which JSON parsers differ.
var hostileTexts = []string{
	``, ` `, `null`, `true`, `[]`, `{}`, `"x"`, `0`, `-0`, `-1`, `1.0`, `0.0`, `-0.0`, `1e3`, `0E0`, `1.`, `01`, `-`, `+1`, `0x10`, `NaN`, `1_0`,
	`9007199254740991`, `-9007199254740991`, `9007199254740992`, `-9007199254740992`, `9223372036854775807`, `18446744073709551617`,
	`{"a":1,"a":1}`, `{"a":1,"\u0061":2}`, `{"":1,"":2}`, `{"\"":1,"\u0022":2}`, `{"/":1,"\/":2}`, `[{"b":{"a":1,"c":2,"a":3}}]`,
	`{"a\"b":1,"a!":2,"a#":3,"a\\":4,"a\nb":5,"a\u0000":6}`, `{"\n":1,"\u000B":2,"\u007f":3}`, `{"\u2028<>&":"\u2029<>&"}`,
	`{"ﬁ":1,"\ud83d\ude00":2,"\ue000":3,"é":4,"e\u0301":5}`, `"\ud800"`, `"\udc00\ud800"`, `"\ud83d\ude00\ud83d"`, `"\\ud800"`, `"\\\ud800"`, `{"\udfff":1}`,
	`"\ud800\u0041"`, `"\ud83d\uDE0"`, `"\uD83D\\ude00"`, `"\ufffd"`, `"\ufeff"`, `"\u00"`, `"\x41"`, `"\'"`, `"\U0041"`, `"\`, `"\u`, `"`,
	"\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", "\"\xf4\x90\x80\x80\"", "{\"\xfe\":1}", "\ufeff{}", "\"\x00\"", "\"\n\"", "\"\x7f\u0080\"", "{}\x00", "\x00",
	`{}{}`, `{} x`, `1 2`, `[1,]`, `[,1]`, `{,}`, `{"a":1,}`, `{"a" 1}`, `[1 2]`, `{'a':1}`, `{a:1}`, `{1:1}`, `nulll`, `nul`, `tru e`, `[`, `{`, `]`, `}`, `//`, `/**/1`,
	`{"signatures":7}`, `{"signatures":null}`, `{"signatures":{"one.test":"x"}}`, `{"signatures":{"one.test":null}}`, `{"signatures":{"one.test":{"ed25519:a":1}}}`,
	`{"Signatures":{"one.test":{"ed25519:a":"AA"}}}`, `{"SIGNATURES":5,"UNSIGNED":6}`, `{"ſignatures":5}`, `{"\u0073ignatures":{},"unsigned":[]}`,
	`{"signatures":{"two.test":"bare","three.test":{"ed25519:a":"="}}}`, `{"signatures":{"a":{}},"unsigned":{"signatures":{}}}`,
	`{"content":{"signatures":{"x":{"y":"z"}},"unsigned":1},"type":"x"}`,
}

// deepTexts are at the bound of the depth, and beyond. As seeds they would slow down the fuzzer.
var deepTexts = []string{
	strings.Repeat("[", 10000) + strings.Repeat("]", 10000), strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000),
	strings.Repeat("[", 10001) + strings.Repeat("]", 10001), strings.Repeat(`{"a":`, 10001) + "1" + strings.Repeat("}", 10001),
	`{"type":"m.room.power_levels","content":{"users":` + strings.Repeat("[", 9998) + strings.Repeat("]", 9998) + `}}`,
	`{"type":"m.room.power_levels","content":{"users":` + strings.Repeat("[", 9999) + strings.Repeat("]", 9999) + `}}`,
	strings.Repeat("[", 20000), strings.Repeat("[{\"a\":", 5000) + "0" + strings.Repeat("}]", 5000),
}

// hostileNames are texts that are, or nearly are, sender keys, base64 or user IDs.
var hostileNames = []string{
	"", "@", "@:", "@a:b", "@:b", "@a:", "@a", "a:b", "@A~!/=+:B", "@a b:c", "@a\n:b", "@a:b\n", "@ä:b", "@a:ä", "@\xff:b", "@a:b_c", "@a:-", "@a:.", "@a:b:", "@a:b:1",
	"@a:b:00000", "@a:b:99999", "@a:b:100000", "@a:b:+1", "@a:b:1:2", "@a:[::1]", "@a:[::1]:8448", "@a:[::1]x", "@a:[]", "@a:[1.2.3.4]", "@a:[::ffff:1.2.3.4]",
	"@a:::ffff:1.2.3.4", "@a:[::1%lo]", "@a:[fe80::1%25lo]", "@a:[::1", "@a:::1]", "@a:[[::1]]", "@a:[1:2:3:4:5:6:7:8]", "@a:[::00001]", "@a:1.2.3.4:80", "@a:256.1.1.1", "@a::80",
	"@" + strings.Repeat("a", 252) + ":b", "@" + strings.Repeat("a", 253) + ":b", "@a:" + strings.Repeat("b", 252), "@_unverified_a_b:80:c",
	"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
	"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURp", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo\n", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHUR", " 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo",
	"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA", "7v///////////////////////////////////////38", "7P///////////////////////////////////////38",
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA", "JuiVj8KyJ7BFw/SJ8u+Y8NXfrAXTxjM5sTgCiG1T/AU", "JuiVj8KyJ7BFw/SJ8u+Y8NXfrAXTxjM5sTgCiG1T/IU",
	"xxdqcD1N2E+6PAt2DRBnDyogU/osOczGTsf9d5KsA3o", "xxdqcD1N2E+6PAt2DRBnDyogU/osOczGTsf9d5KsA/o", "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "7f///////////////////////////////////////38",
	"//////////////////////////////////////////8", "Zg", "Zh", "Zg==", "Zm8", "Z", "=", "_-8", "/+8", "Zm\r\n9v", "Zm9v!",
	strings.Repeat("\x00", 32), "\x01" + strings.Repeat("\x00", 31), "\xec" + strings.Repeat("\xff", 30) + "\x7f", "\xed" + strings.Repeat("\xff", 30) + "\xff",
}

// events returns events of all types that redaction knows, as they should be and not.
func events() (texts []string) {
	contents := map[string][]string{
		"m.room.member": {
			`{"membership":"join","displayname":"A","join_authorised_via_users_server":"k","mxid_mapping":{"user_id":"@a:b"}}`,
			`{"membership":"invite","third_party_invite":{"display_name":"d","signed":{"token":"t","mxid":"@a:b"}}}`,
			`{"third_party_invite":{}}`, `{"third_party_invite":[],"third_party_invite.signed":1}`, `{"third_party_invite":{"signed":null}}`, `{"third_party_invite":null}`,
		},
		"m.room.create":             {`{"creator":"k","room_version":"10","m.federate":true,"*":1}`, `{}`},
		"m.room.join_rules":         {`{"join_rule":"restricted","allow":[{"type":"x","room_id":"!r"}],"deny":1}`},
		"m.room.power_levels":       {`{"ban":1,"events":{"a":2},"events_default":3,"invite":4,"kick":5,"redact":6,"state_default":7,"users":{"k":8},"users_default":9,"notifications":{"room":10}}`},
		"m.room.history_visibility": {`{"history_visibility":"joined","x":1}`},
		"m.room.redaction":          {`{"redacts":"$x","reason":"r"}`},
		"m.room.aliases":            {`{"aliases":["#a:b"]}`},
		"m.room.message":            {`{"body":"<>&\u2028 \ud83d\ude00 \"\\","a\"b":1,"\n":{"":null}}`, `{"membership":"join"}`, `[]`, `null`, `{"a":1.5}`},
		"M.ROOM.MEMBER":             {`{"membership":"join"}`},
		`x\"y\n`:                    {`{"body":1}`},
	}
	for _, eventType := range slices.Sorted(maps.Keys(contents)) {
		for _, content := range contents[eventType] {
			texts = append(texts, fmt.Sprintf(`{"type":"%s","content":%s,"room_id":"!r:b","sender":"@a:b","sender_key":"k","state_key":"s","depth":1,"origin":"b",`+
				`"origin_server_ts":2,"prev_events":["$a"],"prev_state":[],"auth_events":[],"membership":"x","event_id":"$e","hashes":{"sha256":"AA"},`+
				`"signatures":{"b":{"ed25519:1":"AA"}},"unsigned":{"age":1},"redacts":"$r","Sender":"x","TYPE":"y","a\"b":1}`, eventType, content))
		}
	}
	return append(texts,
		`{"type":"x"}`, `{"content":{}}`, `{"type":1,"content":{}}`, `{"type":null,"content":{}}`, `{"type":"x","type":"y","content":{}}`, `{"TYPE":"x","Content":{}}`,
		`{"type":"x","content":{},"hashes":[]}`, `{"type":"x","content":{},"hashes":{"sha256":1}}`, `{"type":"x","content":{},"hashes":null}`,
		`{"type":"x","content":{},"signatures":[]}`, `{"type":"x","content":{},"signatures":{"one.test":[]}}`, `{"type":"x","content":{},"sender":1,"sender_key":null}`,
	)
}

// maker makes JSON by choices; when it has none left, it takes the first of everything.
type maker struct {
	choices []byte
	depth   int
}

// next returns a choice below n.
func (m *maker) next(n int) int {
	if len(m.choices) == 0 {
		return 0
	}
	choice := int(m.choices[0])
	m.choices = m.choices[1:]
	return choice % n
}

var (
	fieldNames = []string{
		"type", "content", "sender", "sender_key", "state_key", "room_id", "event_id", "hashes", "signatures", "unsigned", "depth", "prev_events", "prev_state",
		"auth_events", "origin", "origin_server_ts", "membership", "redacts", "Signatures", "TYPE", `a\"b`, `\u0073ender`, `\n`, "", "ſender", "<", `\ud83d\ude00`,
	}
	contentNames = []string{
		"membership", "join_authorised_via_users_server", "third_party_invite", "signed", "creator", "join_rule", "allow", "ban", "events", "events_default", "invite", "kick",
		"redact", "state_default", "users", "users_default", "history_visibility", "redacts", "mxid_mapping", "displayname", `a\"b`, `\\`, "*", "third_party_invite.signed",
	}
	typeNames = []string{
		"m.room.member", "m.room.create", "m.room.join_rules", "m.room.power_levels", "m.room.history_visibility", "m.room.redaction", "m.room.aliases", "m.room.message", "", `m.\u0072oom.member`,
	}
	scalars = []string{
		`1`, `null`, `true`, `""`, `"x"`, `-1`, `9007199254740991`, `"\u2028<>&"`, `"\ud83d\ude00"`, `"\"\\\/\b\u0000"`, `[]`, `{}`, `9007199254740992`, `1.0`, `-0`, `"\ud800"`,
		`"` + string(pseudoid.KeyPairOf(keyOf(2)).Public) + `"`,
	}
)

// event makes an event that is mostly well-formed.
func (m *maker) event() []byte {
	members := []string{`"type":"` + typeNames[m.next(len(typeNames))] + `"`, `"content":` + m.object(contentNames)}
	for range m.next(8) {
		members = append(members, `"`+fieldNames[2+m.next(len(fieldNames)-2)]+`":`+m.value())
	}
	if m.next(16) == 15 {
		members = members[m.next(2)+1:]
	}
	m.rotate(members)
	return []byte("{" + strings.Join(members, ",") + "}")
}

// object makes an object with some of the names.
func (m *maker) object(names []string) string {
	var members []string
	for range m.next(6) {
		members = append(members, `"`+names[m.next(len(names))]+`":`+m.value())
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// value makes a value.
func (m *maker) value() string {
	m.depth++
	defer func() { m.depth-- }()
	switch n := m.next(len(scalars) + 6); {
	case n < len(scalars):
		return scalars[n]
	case m.depth > 5:
		return `[ ]`
	case n%3 == 0:
		return "[" + m.value() + " , " + m.value() + "]"
	case n%3 == 1:
		return m.object(contentNames)
	default:
		return m.object(fieldNames)
	}
}

// rotate changes the order.
func (m *maker) rotate(members []string) {
	if len(members) == 0 {
		return
	}
	n := m.next(len(members))
	copy(members, append(append([]string{}, members[n:]...), members[:n]...))
}

// with returns an object with a string set in it, if it is an object.
func with(raw []byte, key, value string) []byte {
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil || o == nil {
		return raw
	}
	o[key], _ = json.Marshal(value)
	changed, err := json.Marshal(o)
	if err != nil {
		return raw
	}
	return changed
}
