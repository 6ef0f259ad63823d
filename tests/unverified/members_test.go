package unverified

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"
)

func TestFindTextReturnsThePath(t *testing.T) {
	const text = "@a:hs1"
	for event, path := range map[string]string{
		`{"sender":"@b:hs1","content":{"body":"@a:hs1 is here"}}`: "",
		`{"sender":"@a:hs1"}`:                 "sender",
		`{"content":{"users":{"@a:hs1":50}}}`: "content.users",
		`{"@a:hs1":1}`:                        "the event",
		`{"content":{"heroes":["@b:hs1",{"id":"\u0040a:hs1"}]}}`:                                 "content.heroes[].id",
		`{"content":{"mxid_mapping":{"user_id":"@a:hs1"}},"unsigned":{"mxid_mapping":"@a:hs1"}}`: "",
		strings.Repeat(`{"a":`, 20000) + `"@a:hs1"` + strings.Repeat("}", 20000):                 strings.Repeat("a.", 100) + "a...",
	} {
		assert.Equal(t, path, findText(gjson.Parse(event), text), "%.100s", event)
	}
}
