// The recorder of a check: it keeps the exchanges in memory, within bounds.

package transcript

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
)

// Bounds of a Recorder that is not told otherwise, in bytes.
const (
	DefaultMaxBody  = 256 << 10
	DefaultMaxTotal = 8 << 20
)

// exchangeSize is what an exchange is counted for beside its bodies.
const exchangeSize = 1 << 10

// Recorder is a Sink that keeps exchanges without secrets. A body longer than MaxBody is cut; when all together are
// longer than MaxTotal, the oldest ones lose their bodies, and then go. A note says so. The zero value works.
type Recorder struct {
	MaxBody  int // bytes of one body; 0 means DefaultMaxBody
	MaxTotal int // bytes of everything kept; 0 means DefaultMaxTotal

	mu       sync.Mutex
	kept     []Exchange
	total    int
	bodiless int // how many of kept, from the front, lost their bodies
	dropped  int
}

// Record keeps an exchange.
func (r *Recorder) Record(e Exchange) {
	e = WithoutSecrets(e)
	e.Notes = slices.Clone(e.Notes)
	maxBody := orDefault(r.MaxBody, DefaultMaxBody)
	e.RequestBody = cut(e.RequestBody, maxBody, "request", &e.Notes)
	e.ResponseBody = cut(e.ResponseBody, maxBody, "response", &e.Notes)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = append(r.kept, e)
	r.total += exchangeSize + len(e.RequestBody) + len(e.ResponseBody)
	r.shrink(orDefault(r.MaxTotal, DefaultMaxTotal))
}

// shrink gives up what is oldest until the rest is within limit.
func (r *Recorder) shrink(limit int) {
	for r.total > limit && r.bodiless < len(r.kept) {
		oldest := &r.kept[r.bodiless]
		if size := len(oldest.RequestBody) + len(oldest.ResponseBody); size > 0 {
			r.total -= size
			oldest.RequestBody, oldest.ResponseBody = nil, nil
			oldest.Notes = append(oldest.Notes, fmt.Sprintf("bodies not kept, %d bytes: the transcript was full", size))
		}
		r.bodiless++
	}
	gone := 0
	for r.total > limit && gone < len(r.kept) {
		r.total -= exchangeSize
		gone++
	}
	if gone > 0 {
		r.kept = slices.Delete(r.kept, 0, gone)
		r.bodiless = max(0, r.bodiless-gone)
		r.dropped += gone
	}
}

// Exchanges returns what was kept, in the order in which the exchanges ended.
func (r *Recorder) Exchanges() []Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.kept)
}

// Dropped is how many exchanges, the oldest, were not kept at all.
func (r *Recorder) Dropped() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

// cut shortens a body, as a copy, so that the long one can be freed.
func cut(body []byte, limit int, which string, notes *[]string) []byte {
	if len(body) <= limit {
		return body
	}
	*notes = append(*notes, fmt.Sprintf("%s body cut: %d of %d bytes kept", which, limit, len(body)))
	return bytes.Clone(body[:limit])
}

func orDefault(value, otherwise int) int {
	if value > 0 {
		return value
	}
	return otherwise
}
