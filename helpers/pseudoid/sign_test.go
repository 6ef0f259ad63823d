// Tests of signing and verifying JSON objects, with the test vectors of the Matrix specification's appendix.

package pseudoid

import (
	"crypto/ed25519"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// specificationKey returns the signing key of the appendix "Cryptographic Test Vectors". Its base64 there has leftover bits that are
// not zero, so DecodeBase64 would refuse it.
func specificationKey(t *testing.T) ed25519.PrivateKey {
	seed, err := base64.RawStdEncoding.DecodeString("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
	require.NoError(t, err)
	return ed25519.NewKeyFromSeed(seed)
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func TestSpecificationVectorsOfJSON(t *testing.T) {
	key := specificationKey(t)
	for object, signature := range map[string]string{
		`{}`:                      "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ",
		`{"one":1, "two": "Two"}`: "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
	} {
		signed, err := SignJSON([]byte(object), "domain", "ed25519:1", key)
		require.NoError(t, err)
		assert.Contains(t, string(signed), `"signatures":{"domain":{"ed25519:1":"`+signature+`"}}`)
		assert.NoError(t, VerifyJSON(signed, "domain", "ed25519:1", publicOf(key)))
	}
}

func TestSpecificationVectorOfEvents(t *testing.T) {
	key := specificationKey(t)
	signed, err := SignEvent([]byte(`{"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,
		"signatures":{},"hashes":{},"type":"X","content":{},"prev_events":[],"auth_events":[],"depth":3,
		"unsigned":{"age_ts":1000000}}`), FormatV10, "domain", "ed25519:1", key)
	require.NoError(t, err)
	assert.Contains(t, string(signed), `"hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"}`)
	assert.Contains(t, string(signed), "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg")
	assert.NoError(t, CheckContentHash(signed))
	assert.NoError(t, VerifyEventSignature(signed, FormatV10, "domain", "ed25519:1", publicOf(key)))
}

func TestSignJSONCoversAllButSignaturesAndUnsigned(t *testing.T) {
	key := specificationKey(t)
	signed, err := SignJSON([]byte(`{"a":1,"unsigned":{"x":1},"signatures":{"other":{"k":"v"}}}`), "hs1", "ed25519:a", key)
	require.NoError(t, err)
	assert.Contains(t, string(signed), `"unsigned":{"x":1}`)
	assert.Contains(t, string(signed), `"other":{"k":"v"}`)
	verify := func(object string) error { return VerifyJSON([]byte(object), "hs1", "ed25519:a", publicOf(key)) }
	assert.NoError(t, verify(string(signed)))
	assert.NoError(t, verify(altered(t, string(signed), "unsigned", `{"y":2}`)))
	assert.ErrorIs(t, verify(altered(t, string(signed), "a", `2`)), ErrBadSignature)
	assert.ErrorIs(t, verify(altered(t, string(signed), "b", `1`)), ErrBadSignature)
}

func TestSignJSONReplacesItsOwnSignature(t *testing.T) {
	first, second := GenerateKeyPair(), GenerateKeyPair()
	signed, err := SignJSON([]byte(`{"a":1}`), "hs1", "ed25519:a", first.Private)
	require.NoError(t, err)
	signed, err = SignJSON(signed, "hs1", "ed25519:a", second.Private)
	require.NoError(t, err)
	assert.NoError(t, VerifyJSON(signed, "hs1", "ed25519:a", publicOf(second.Private)))
	assert.ErrorIs(t, VerifyJSON(signed, "hs1", "ed25519:a", publicOf(first.Private)), ErrBadSignature)
}

func TestVerifyJSONRefuses(t *testing.T) {
	key := specificationKey(t)
	signature := ed25519.Sign(key, []byte(`{"a":1}`))
	good := EncodeBase64(signature)
	with := func(text string) string { return `{"a":1,"signatures":{"hs1":{"ed25519:a":` + text + `}}}` }
	require.NoError(t, VerifyJSON([]byte(with(`"`+good+`"`)), "hs1", "ed25519:a", publicOf(key)))

	missing := map[string]string{
		"no signatures":    `{"a":1}`,
		"empty signatures": `{"a":1,"signatures":{}}`,
		"another entity":   `{"a":1,"signatures":{"hs2":{"ed25519:a":"` + good + `"}}}`,
		"another key ID":   `{"a":1,"signatures":{"hs1":{"ed25519:b":"` + good + `"}}}`,
		"a bare string":    `{"a":1,"signatures":{"hs1":"` + good + `"}}`,
	}
	for name, object := range missing {
		t.Run(name, func(t *testing.T) {
			assert.ErrorIs(t, VerifyJSON([]byte(object), "hs1", "ed25519:a", publicOf(key)), ErrNoSignature)
		})
	}
	bad := map[string]string{
		"a padded signature":    with(`"` + base64.StdEncoding.EncodeToString(signature) + `"`),
		"a URL-safe signature":  with(`"` + base64.RawURLEncoding.EncodeToString(append([]byte{0xff, 0xff, 0xff}, signature[3:]...)) + `"`),
		"a short signature":     with(`"` + EncodeBase64(signature[:63]) + `"`),
		"a long signature":      with(`"` + EncodeBase64(append(signature[:64:64], 0)) + `"`),
		"an empty signature":    with(`""`),
		"a null signature":      with(`null`),
		"a number":              with(`1`),
		"a line break":          with(`"` + good + `\n"`),
		"S + L":                 with(`"` + EncodeBase64(malleated(signature)) + `"`),
		"something else signed": `{"a":2,"signatures":{"hs1":{"ed25519:a":"` + good + `"}}}`,
	}
	for name, object := range bad {
		t.Run(name, func(t *testing.T) {
			assert.ErrorIs(t, VerifyJSON([]byte(object), "hs1", "ed25519:a", publicOf(key)), ErrBadSignature)
		})
	}
	t.Run("why a signature is bad", func(t *testing.T) {
		err := VerifyJSON([]byte(bad["a short signature"]), "hs1", "ed25519:a", publicOf(key))
		assert.ErrorContains(t, err, `entity "hs1" under key ID "ed25519:a"`)
		assert.ErrorContains(t, err, "has 63 bytes")
	})
	t.Run("signatures that are not an object", func(t *testing.T) {
		err := VerifyJSON([]byte(`{"a":1,"signatures":[]}`), "hs1", "ed25519:a", publicOf(key))
		assert.ErrorContains(t, err, `"signatures" is an array`)
	})
	t.Run("a key of another length", func(t *testing.T) {
		err := VerifyJSON([]byte(with(`"`+good+`"`)), "hs1", "ed25519:a", publicOf(key)[:31])
		assert.ErrorContains(t, err, "has 31 bytes")
		assert.NotErrorIs(t, err, ErrBadSignature)
	})
	t.Run("a duplicate key", func(t *testing.T) {
		err := VerifyJSON([]byte(`{"a":1,`+with(`"` + good + `"`)[1:]), "hs1", "ed25519:a", publicOf(key))
		assert.ErrorIs(t, err, ErrDuplicateKey)
	})
}

func TestSignJSONRefuses(t *testing.T) {
	key := specificationKey(t)
	for object, want := range map[string]string{
		`[]`:                            "an array, not a JSON object",
		`{"a":1.5}`:                     "fraction",
		`{"signatures":null}`:           `"signatures" is null`,
		`{"signatures":{"hs1":"bare"}}`: `"hs1" is a string`,
	} {
		_, err := SignJSON([]byte(object), "hs1", "ed25519:a", key)
		assert.ErrorContains(t, err, want, object)
	}
}
