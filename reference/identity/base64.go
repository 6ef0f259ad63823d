package identity

import (
	"encoding/base64"
	"fmt"

	"github.com/matrix-org/gomatrixserverlib/spec"
)

// EncodeBase64 encodes binary data as it stands in events: in unpadded base64 with the standard alphabet (appendices,
// "Unpadded Base64").
func EncodeBase64(data []byte) string { return spec.Base64Bytes(data).Encode() }

// DecodeBase64 decodes what EncodeBase64 writes, and nothing else: decoders differ in the padding, alphabets, line
// breaks and leftover bits that they overlook.
func DecodeBase64(text string) ([]byte, error) {
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%.60q is not unpadded base64: %w", text, err)
	}
	if one := EncodeBase64(data); one != text {
		return nil, fmt.Errorf("%.60q is not unpadded base64 as it should be spelled, %.60q", text, one)
	}
	return data, nil
}
