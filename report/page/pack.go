package page

// The evidence as it is kept in the page: all excerpts cut to the longest length with which the report does not weigh too much, as HTML,
// compressed. The script of the page unpacks it when the first verdict is opened.

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"msc4014/report"
)

const (
	// shortest is the length in bytes below which no excerpt is cut.
	shortest = 256
	// longestUnpacked bounds the evidence as HTML, in bytes: what a browser unpacks at once.
	longestUnpacked = 24 << 20
)

// pack returns the evidence of all checks in at most so many letters, unless even the shortest excerpts are more; "" if there is none.
func (c *collector) pack(letters int) (string, error) {
	if len(c.all) == 0 {
		return "", nil
	}
	for limit := longestExcerpt; ; {
		packed, size, err := c.packed(limit)
		if err != nil {
			return "", err
		}
		share := min(float64(letters)/float64(len(packed)), longestUnpacked/float64(size))
		if share >= 1 || limit <= shortest {
			return packed, nil
		}
		limit = max(shortest, int(float64(limit)*max(share*0.95, 0.5)))
	}
}

// packed returns the evidence with excerpts of at most limit bytes, and its size before it was compressed.
func (c *collector) packed(limit int) (text string, size int, err error) {
	for _, excerpt := range c.excerpts {
		excerpt.cut(limit)
	}
	shown := map[string]string{}
	for _, one := range c.all {
		var out bytes.Buffer
		if err := parsed.ExecuteTemplate(&out, "evidence", one); err != nil {
			return "", 0, fmt.Errorf("make the HTML report: %w", err)
		}
		shown[one.ID] = report.Visible(out.String())
		size += out.Len()
	}
	var out bytes.Buffer
	compressor, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		return "", 0, err
	}
	encoder := json.NewEncoder(compressor)
	encoder.SetEscapeHTML(false) // it is not part of the page's HTML
	if err := encoder.Encode(shown); err != nil {
		return "", 0, fmt.Errorf("make the HTML report: %w", err)
	}
	if err := compressor.Close(); err != nil {
		return "", 0, err
	}
	return base64.RawURLEncoding.EncodeToString(out.Bytes()), size, nil
}
