// Tests of user IDs and the server names in them.

package pseudoid

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestValidUserIDs(t *testing.T) {
	for userID, domain := range map[string]string{
		"@alice:hs1":                            "hs1",
		"@alice:example.com":                    "example.com",
		"@alice:example.com:8448":               "example.com:8448",
		"@alice:127.1.2.3:8448":                 "127.1.2.3:8448",
		"@alice:[::1]":                          "[::1]",
		"@alice:[2001:db8::1]:8448":             "[2001:db8::1]:8448",
		"@a-b_c.d=e/f+0:hs1":                    "hs1",
		"@Alice!#$%^&*():hs1":                   "hs1", // historical
		"@_unverified_alice_hs1:hs2":            "hs2",
		"@a:HS1":                                "HS1",
		"@a:1":                                  "1",
		"@" + strings.Repeat("a", 250) + ":hs1": "hs1", // 255 bytes
	} {
		assert.NoError(t, ValidUserID(userID), userID)
		got, err := UserIDDomain(userID)
		assert.NoError(t, err, userID)
		assert.Equal(t, domain, got)
	}
}

func TestInvalidUserIDs(t *testing.T) {
	for _, userID := range []string{
		"", "@", ":", "@:", "@a", "@a:", "@:hs1", "alice:hs1", "a@alice:hs1", "#alice:hs1", " @alice:hs1", "@alice:hs1 ",
		"@al ice:hs1", "@al\x00ice:hs1", "@al\nice:hs1", "@älice:hs1", "@alice\x7f:hs1", "@\xff:hs1",
		"@alice:hs1:", "@alice:hs1:port", "@alice:hs1:123456", "@alice:hs1:80:80", "@alice:hs_1", "@alice:hs1/x", "@alice:hs1\n",
		"@alice:::1", "@alice:[::1", "@alice:[::1]x", "@alice:[::1]:", "@alice:[::g]", "@alice:[127.0.0.1]", "@alice:[::1%lo]", "@alice:[]",
		"@alice::8448", "@alice:hé1",
		"@" + strings.Repeat("a", 251) + ":hs1",
		string(GenerateKeyPair().Public),
	} {
		assert.Error(t, ValidUserID(userID), "%q", userID)
		domain, err := UserIDDomain(userID)
		assert.Error(t, err, "%q", userID)
		assert.Empty(t, domain, "%q", userID)
	}
}

// A placeholder of a server with a port is not a user ID by the grammar: ':' ends the localpart.
func TestPlaceholderOfServerWithPortIsNotAUserID(t *testing.T) {
	assert.Error(t, ValidUserID("@_unverified_alice_hs1:8448:hs2"))
}
