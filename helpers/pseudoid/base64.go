// This file encodes and decodes base64 as events have it (Matrix specification, appendices, "Unpadded Base64").

package pseudoid

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// EncodeBase64 returns data in unpadded standard base64, the form of hashes, signatures and sender keys.
func EncodeBase64(data []byte) string { return base64.RawStdEncoding.EncodeToString(data) }

// DecodeBase64 decodes unpadded standard base64 and nothing else: padding, the URL-safe alphabet, white space and bits
// left over that are not zero are errors, so that no two texts stand for the same bytes.
func DecodeBase64(text string) ([]byte, error) {
	switch {
	case strings.Contains(text, "="):
		return nil, fmt.Errorf("base64 %s: it is padded; Matrix has it unpadded", quote(text))
	case strings.ContainsAny(text, "-_"):
		return nil, fmt.Errorf("base64 %s: it has the URL-safe alphabet; Matrix has the standard one here", quote(text))
	case strings.ContainsAny(text, "\r\n"): // encoding/base64 would skip them
		return nil, fmt.Errorf("base64 %s: it has line breaks", quote(text))
	}
	data, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("base64 %s: %w", quote(text), err)
	}
	return data, nil
}
