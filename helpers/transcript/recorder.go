// The recorder of a check keeps its exchanges in memory, within bounds.

package transcript

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
)

// Default bounds of a Recorder, in bytes.
const (
	DefaultMaxBody  = 256 << 10
	DefaultMaxTotal = 8 << 20
)

// exchangeSize is the size that is counted for an exchange without its bodies.
const exchangeSize = 1 << 10

// Recorder is a Sink that keeps exchanges without secrets. It cuts bodies longer than MaxBody. If all exchanges exceed MaxTotal, it
// drops the bodies of the oldest ones, and then the oldest exchanges. Notes say so. The zero value is ready to use.
type Recorder struct {
	MaxBody  int // bytes of one body; 0 means DefaultMaxBody
	MaxTotal int // bytes of everything kept; 0 means DefaultMaxTotal

	mu       sync.Mutex
	kept     []Exchange
	total    int
	bodiless int // number of exchanges, from the first, without their bodies
	dropped  int
}

// Record records an exchange.
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

// The notes with which a check marks the exchange after which something was decided.
const (
	NoteControl   = "the positive control had passed with this exchange"
	NoteUnderTest = "the step under test began after this exchange"
	NoteFailed    = "the check had failed with this exchange"
)

// Mark adds a note to the exchange that ended last.
func (r *Recorder) Mark(note string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := len(r.kept) - 1; last >= 0 && !slices.Contains(r.kept[last].Notes, note) {
		r.kept[last].Notes = append(slices.Clone(r.kept[last].Notes), note)
	}
}

// shrink drops the oldest data until the rest is within limit.
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

// Exchanges returns the recorded exchanges, in the order in which they ended.
func (r *Recorder) Exchanges() []Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.kept)
}

// Dropped returns the number of exchanges, the oldest, that were dropped.
func (r *Recorder) Dropped() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

// cut returns a shortened copy of a long body, so that the original can be freed.
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
