// Tests of strict base64.

package pseudoid

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The examples of the specification's appendix "Unpadded Base64".
func TestBase64OfTheSpecification(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "Zg": "f", "Zm8": "fo", "Zm9v": "foo", "Zm9vYg": "foob", "Zm9vYmE": "fooba", "Zm9vYmFy": "foobar",
	} {
		decoded, err := DecodeBase64(text)
		require.NoError(t, err)
		assert.Equal(t, want, string(decoded))
		assert.Equal(t, text, EncodeBase64([]byte(want)))
	}
}

func TestRefusesPaddedBase64(t *testing.T) {
	for _, text := range []string{"Zg==", "Zm8=", "Zg=", "="} {
		_, err := DecodeBase64(text)
		assert.ErrorContains(t, err, "it is padded", text)
	}
}

func TestRefusesURLSafeBase64(t *testing.T) {
	for _, text := range []string{"-_-_", "ab-d", "ab_d"} {
		_, err := DecodeBase64(text)
		assert.ErrorContains(t, err, "URL-safe", text)
	}
	decoded, err := DecodeBase64("+/+/")
	require.NoError(t, err)
	assert.Equal(t, []byte{0xfb, 0xff, 0xbf}, decoded)
}

func TestRefusesBase64WithLeftoverBits(t *testing.T) {
	for _, text := range []string{"Zh", "Zm9"} { // a lenient decoder decodes them like Zg and Zm8
		_, err := DecodeBase64(text)
		assert.Error(t, err, text)
	}
}

func TestRefusesTextThatIsNotBase64(t *testing.T) {
	for _, text := range []string{"Z", "Zm9vY", "Zm 9v", "Zm9v\n", "\r\nZm9v", "Zm9v\x00", "Zmé", "@alice:hs1"} {
		_, err := DecodeBase64(text)
		assert.Error(t, err, "%q", text)
	}
}
