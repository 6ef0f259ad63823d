// This file encodes and decodes base64 in events (Matrix specification, appendices, "Unpadded Base64").

package pseudoid

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// EncodeBase64 returns data in unpadded standard base64, the encoding of hashes, signatures and sender keys.
func EncodeBase64(data []byte) string { return base64.RawStdEncoding.EncodeToString(data) }

// DecodeBase64 decodes unpadded standard base64 strictly: padding, the URL-safe alphabet, white space and leftover bits that are not
// zero are errors, so that the encoding of bytes is unique.
func DecodeBase64(text string) ([]byte, error) {
	switch {
	case strings.Contains(text, "="):
		return nil, fmt.Errorf("base64 %s: it is padded, but Matrix uses unpadded base64", quote(text))
	case strings.ContainsAny(text, "-_"):
		return nil, fmt.Errorf("base64 %s: it uses the URL-safe alphabet, but Matrix uses the standard one here", quote(text))
	case strings.ContainsAny(text, "\r\n"): // encoding/base64 would skip them
		return nil, fmt.Errorf("base64 %s: it has line breaks", quote(text))
	}
	data, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("base64 %s: %w", quote(text), err)
	}
	return data, nil
}
