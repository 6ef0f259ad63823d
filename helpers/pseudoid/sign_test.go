// Tests of signing and verifying JSON objects, with the test vectors of the Matrix specification's appendix.

package pseudoid

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// specificationKey is the signing key of the appendix "Cryptographic Test Vectors".
func specificationKey(t testing.TB) ed25519.PrivateKey {
	seed, err := base64.RawStdEncoding.DecodeString("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
	require.NoError(t, err)
	return ed25519.NewKeyFromSeed(seed)
}

func TestSpecificationVectorsOfJSON(t *testing.T) {
	key := specificationKey(t)
	for object, signature := range map[string]string{
		`{}`:                      "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ",
		`{"one":1, "two": "Two"}`: "KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw",
	} {
		signed, err := SignJSON([]byte(object), "domain", "ed25519:1", key)
		require.NoError(t, err)
		assert.Contains(t, string(signed), `"signatures":{"domain":{"ed25519:1":"`+signature+`"}}`)
		assert.NoError(t, VerifyJSON(signed, "domain", "ed25519:1", key.Public().(ed25519.PublicKey)))
	}
}

func TestSpecificationVectorsOfEvents(t *testing.T) {
	key := specificationKey(t)
	for _, vector := range []struct{ event, hash, signature string }{
		{`{"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,"signatures":{},
		   "hashes":{},"type":"X","content":{},"prev_events":[],"auth_events":[],"depth":3,"unsigned":{"age_ts":1000000}}`,
			"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos",
			"KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"},
	} {
		signed, err := SignEvent([]byte(vector.event), FormatV10, "domain", "ed25519:1", key)
		require.NoError(t, err)
		assert.Contains(t, string(signed), vector.hash)
		assert.Contains(t, string(signed), vector.signature)
		assert.NoError(t, CheckContentHash(signed))
		assert.NoError(t, VerifyEventSignature(signed, FormatV10, "domain", "ed25519:1", key.Public().(ed25519.PublicKey)))
	}
}

func TestSenderKeySignsEvent(t *testing.T) {
	key := GenerateKeyPair()
	for _, f := range []Format{FormatDendrite, FormatMSC4014, FormatMSC4014Letter} {
		event := []byte(`{"type":"m.room.name","content":{"name":"x"},"` + f.SenderField() + `":"` + string(key.Public) + `"}`)
		signed, err := SignEventBySenderKey(event, f, key)
		require.NoError(t, err)
		location, err := VerifySenderSignature(signed, f)
		require.NoError(t, err)
		assert.Equal(t, SignatureLocation{string(key.Public), SenderKeyID}, location)
		_, err = VerifySenderSignature([]byte(strings.Replace(string(signed), "m.room.name", "m.room.nome", 1)), f)
		assert.ErrorIs(t, err, ErrBadSignature)
	}
}
