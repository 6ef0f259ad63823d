package identity

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeyPair(t *testing.T) {
	key := GenerateKeyPair()
	public, err := ParseSenderKey(string(key.Public))
	require.NoError(t, err)
	message := []byte("a message")
	assert.True(t, ed25519.Verify(public, message, ed25519.Sign(key.Private, message)))
	assert.Equal(t, key, KeyPairOf(key.Private))
	assert.NotEqual(t, key, GenerateKeyPair())
	assert.Equal(t, spec.SenderIDFromPseudoIDKey(key.Private), spec.SenderID(key.Public), "as the library spells it")

	// RFC 8032, 7.1, TEST 1
	seed := []byte("\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60")
	assert.EqualValues(t, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", KeyPairOf(ed25519.NewKeyFromSeed(seed)).Public)
}

func TestKeyPairHidesItsPrivateKey(t *testing.T) {
	key := GenerateKeyPair()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		assert.Equal(t, "key pair of "+string(key.Public), fmt.Sprintf(verb, key), verb)
		assert.NotContains(t, fmt.Sprintf(verb, struct{ Key *KeyPair }{&key}), fmt.Sprintf("%x", []byte(key.Private[:4])), verb)
	}
}

func TestParseSenderKeyRefuses(t *testing.T) {
	good := "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	_, err := ParseSenderKey(good)
	require.NoError(t, err)
	one := append([]byte{1}, make([]byte, 31)...) // y = 1
	reduced := edwards25519.NewIdentityPoint().Bytes()
	assert.Equal(t, one, reduced)
	beyond := append([]byte{0xee}, bytes.Repeat([]byte{0xff}, 31)...) // y = p+1
	beyond[31] = 0x7f
	for name, text := range map[string]string{
		"empty":                 "",
		"short":                 good[:42],
		"long":                  good + "AA",
		"padded":                good + "=",
		"URL-safe":              strings.ReplaceAll(good, "/", "_"),
		"leftover bits":         good[:42] + "p",
		"line break":            good[:20] + "\n" + good[20:],
		"space":                 good + " ",
		"user ID":               "@alice:one.test",
		"no point of the curve": EncodeBase64(append([]byte{2}, make([]byte, 31)...)),
		"y beyond the prime":    EncodeBase64(beyond),
		"negative zero":         EncodeBase64(append(append([]byte{1}, make([]byte, 30)...), 0x80)),
	} {
		key, err := ParseSenderKey(text)
		assert.Error(t, err, name)
		assert.Nil(t, key, name)
	}
}

func TestSmallOrder(t *testing.T) {
	// The points of small order: 1, two of each order 8, one of order 2, two of order 4 (RFC 7748, 7, has the u coordinates).
	order8 := "\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05"
	for _, encoded := range []string{
		"\x01" + strings.Repeat("\x00", 31),
		"\xec" + strings.Repeat("\xff", 30) + "\x7f",
		strings.Repeat("\x00", 32),
		strings.Repeat("\x00", 31) + "\x80",
		order8,
		order8[:31] + "\x85",
		"\xee" + strings.Repeat("\xff", 30) + "\x7f", // 1, not reduced
	} {
		assert.True(t, SmallOrder(ed25519.PublicKey(encoded)), "%x", encoded)
	}
	public, err := ParseSenderKey(string(GenerateKeyPair().Public))
	require.NoError(t, err)
	assert.False(t, SmallOrder(public))
	assert.False(t, SmallOrder(nil))
	assert.False(t, SmallOrder(append(ed25519.PublicKey{2}, make([]byte, 31)...)), "no point")

	assert.True(t, ed25519.Verify(ed25519.PublicKey("\x01"+strings.Repeat("\x00", 31)), []byte("anything"),
		[]byte("\x01"+strings.Repeat("\x00", 63))), "why it matters")
}

// The examples of the appendix "Unpadded Base64" are those of RFC 4648 without padding.
func TestBase64(t *testing.T) {
	for data, text := range map[string]string{
		"": "", "f": "Zg", "fo": "Zm8", "foo": "Zm9v", "foob": "Zm9vYg", "fooba": "Zm9vYmE", "foobar": "Zm9vYmFy", "\xff\xef": "/+8",
	} {
		assert.Equal(t, text, EncodeBase64([]byte(data)))
		decoded, err := DecodeBase64(text)
		require.NoError(t, err)
		assert.Equal(t, data, string(decoded))
	}
	for _, text := range []string{"Zg==", "Zm8=", "Z", "Zh", "_-8", "Zm9v\n", "Zm\r9v", "Zm9v ", "Zm9v!", "="} {
		_, err := DecodeBase64(text)
		assert.Error(t, err, "%q", text)
	}
}

func TestUserIDDomain(t *testing.T) {
	for userID, domain := range map[string]string{
		"@alice:one.test":                          "one.test",
		"@alice:one.test:8448":                     "one.test:8448",
		"@alice:127.0.0.1:1":                       "127.0.0.1:1",
		"@alice:[2001:db8::1]":                     "[2001:db8::1]",
		"@alice:[::ffff:1.2.3.4]:8448":             "[::ffff:1.2.3.4]:8448",
		"@alice:one.test:99999":                    "one.test:99999", // the grammar's ports have 1 to 5 digits
		"@Alice/~!\"#=+-._9;:ONE":                  "ONE",            // historical
		"@" + strings.Repeat("a", 247) + ":x.test": "x.test",
	} {
		got, err := UserIDDomain(userID)
		assert.NoError(t, err)
		assert.Equal(t, domain, got)
		assert.NoError(t, CheckUserID(userID))
	}
	for _, text := range []string{
		"", "@", "@:", "@:one.test", "@alice", "@alice:", "alice:one.test", "#alice:one.test", " @alice:one.test", "@alice:one.test\n",
		"@al ice:one.test", "@al\x7fice:one.test", "@\u00e4:one.test", "@\xff:one.test", "@a:one_test", "@a:\u00e4.test", "@a:b:", "@a:b:x",
		"@a:b:123456", "@a:b:1:2", "@a:::1", "@a:::ffff:1.2.3.4", "@a:[::1", "@a:[::1]1", "@a:[::1]:", "@a:[]", "@a:[127.0.0.1]", "@a:[::1%lo]",
		"@a:[::1]]", "@a:[[::1]]", "@a::80", "@" + strings.Repeat("a", 248) + ":x.test", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo",
	} {
		_, err := UserIDDomain(text)
		assert.Error(t, err, "%q", text)
		assert.Error(t, CheckUserID(text), "%q", text)
	}
}

// The library could be used once it agrees.
func TestLibraryDepartsFromTheGrammar(t *testing.T) {
	for userID, valid := range map[string]bool{
		"@:one.test": false, "@al ice:one.test": false, "@a:[127.0.0.1]": false, "@a:::ffff:1.2.3.4": false, "@a:b:000000080": false,
		"@a:one.test:99999": true,
	} {
		assert.Equal(t, valid, CheckUserID(userID) == nil, userID)
		_, err := spec.NewUserID(userID, true)
		assert.Equal(t, !valid, err == nil, userID)
	}
}
