// Tests of sender keys and of other encodings of them.

package pseudoid

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// smallOrderPoints are the canonical encodings of the eight points of small order.
var smallOrderPoints = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
}

// nonCanonicalPoints encode points with y not below 2^255-19, or with a sign for an x of zero.
var nonCanonicalPoints = []string{
	"0100000000000000000000000000000000000000000000000000000000000080", // y = 1, x = -0
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", // y = -1, x = -0
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p + 1
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p + 3, of large order
}

func fromHex(t *testing.T, digits string) []byte {
	raw, err := hex.DecodeString(digits)
	require.NoError(t, err)
	return raw
}

func TestParseSenderKey(t *testing.T) {
	for range 20 {
		pair := GenerateKeyPair()
		key, err := ParseSenderKey(string(pair.Public))
		require.NoError(t, err)
		assert.Len(t, string(pair.Public), 43)
		assert.True(t, key.Equal(pair.Private.Public()))
		assert.Equal(t, pair.Public, SenderKeyOf(key))
		assert.False(t, SmallOrder(key))
	}
}

// otherEncodings returns a key whose base64 has both characters in which the two alphabets differ, and other encodings of it.
func otherEncodings(t *testing.T) (key string, encodings map[string]string) {
	for {
		pair := GenerateKeyPair()
		raw, err := base64.RawStdEncoding.DecodeString(string(pair.Public))
		require.NoError(t, err)
		urlSafe := base64.RawURLEncoding.EncodeToString(raw)
		if urlSafe == string(pair.Public) {
			continue
		}
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		last := []byte(pair.Public)
		for i := range alphabet {
			if alphabet[i] == last[42] {
				last[42] = alphabet[i+1] // 43 characters hold 258 bits: the last two of them belong to no byte
				break
			}
		}
		return string(pair.Public), map[string]string{
			"padded":                base64.StdEncoding.EncodeToString(raw),
			"URL-safe":              urlSafe,
			"URL-safe, padded":      base64.URLEncoding.EncodeToString(raw),
			"leftover bits":         string(last),
			"hexadecimal":           hex.EncodeToString(raw),
			"line break after":      string(pair.Public) + "\n",
			"line break within":     string(pair.Public)[:20] + "\r\n" + string(pair.Public)[20:],
			"white space":           " " + string(pair.Public),
			"MSC1228's sigil":       "^" + string(pair.Public),
			"as a user ID":          "@" + string(pair.Public) + ":hs1",
			"31 bytes":              base64.RawStdEncoding.EncodeToString(raw[:31]),
			"33 bytes":              base64.RawStdEncoding.EncodeToString(append(raw[:32:32], 0)),
			"the private half, too": base64.RawStdEncoding.EncodeToString(pair.Private),
			"nothing":               "",
		}
	}
}

func TestParseSenderKeyRefusesOtherSpellings(t *testing.T) {
	key, encodings := otherEncodings(t)
	_, err := ParseSenderKey(key)
	require.NoError(t, err)
	for name, encoding := range encodings {
		t.Run(name, func(t *testing.T) {
			_, err := ParseSenderKey(encoding)
			assert.ErrorContains(t, err, "sender key")
		})
	}
}

func TestParseSenderKeyRefusesBytesThatAreNotAPoint(t *testing.T) {
	refused := 0
	for y := range 100 { // about every second y has no x
		raw := make([]byte, 32)
		raw[0] = byte(y)
		onCurve := isOnCurve(big.NewInt(int64(y)))
		_, err := ParseSenderKey(EncodeBase64(raw))
		if onCurve {
			assert.NoError(t, err, "y = %d", y)
		} else {
			assert.ErrorContains(t, err, "not a point", "y = %d", y)
			refused++
		}
	}
	assert.Greater(t, refused, 30)
}

// isOnCurve reports whether x² = (y²-1)/(dy²+1) has a solution modulo 2^255-19 (RFC 8032, 5.1.3).
func isOnCurve(y *big.Int) bool {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	d := new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p))
	one := big.NewInt(1)
	y2 := new(big.Int).Mul(y, y)
	numerator := new(big.Int).Sub(y2, one)
	denominator := new(big.Int).Add(new(big.Int).Mul(d, y2), one)
	x2 := new(big.Int).Mul(numerator, new(big.Int).ModInverse(new(big.Int).Mod(denominator, p), p))
	return new(big.Int).ModSqrt(x2.Mod(x2, p), p) != nil
}

func TestParseSenderKeyRefusesNonCanonicalPoints(t *testing.T) {
	for _, point := range nonCanonicalPoints {
		_, err := ParseSenderKey(EncodeBase64(fromHex(t, point)))
		assert.ErrorContains(t, err, "not the canonical encoding", point)
	}
}

func TestSmallOrder(t *testing.T) {
	for _, point := range smallOrderPoints {
		assert.True(t, SmallOrder(fromHex(t, point)), point)
		_, err := ParseSenderKey(EncodeBase64(fromHex(t, point)))
		assert.NoError(t, err, "%s: small order is for SmallOrder to tell", point)
	}
	for _, point := range nonCanonicalPoints[:6] {
		assert.True(t, SmallOrder(fromHex(t, point)), point)
	}
	assert.False(t, SmallOrder(fromHex(t, nonCanonicalPoints[6])))
	assert.False(t, SmallOrder(ed25519.PublicKey("too short")))
	assert.False(t, SmallOrder(nil))
	assert.False(t, SmallOrder(append([]byte{2}, make([]byte, 31)...)), "no point at all")
}

func TestPrintingAKeyPairKeepsTheSecret(t *testing.T) {
	pair := GenerateKeyPair()
	seed := fmt.Sprintf("%d", []byte(pair.Private))
	for _, format := range []string{"%v", "%+v", "%s", "%#v", "%d", "%x", "%q"} {
		for _, printed := range []string{fmt.Sprintf(format, pair), fmt.Sprintf(format, &pair), fmt.Sprintf(format, struct{ Key KeyPair }{pair})} {
			assert.NotContains(t, printed, seed[1:40], format)
			assert.NotContains(t, printed, hex.EncodeToString(pair.Private[:8]), format)
		}
	}
}
