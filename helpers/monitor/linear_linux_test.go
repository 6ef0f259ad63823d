package monitor

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"msc4014/helpers/foreign"
	"msc4014/helpers/pseudoid"
)

const (
	// factor is how many times larger the large input is; quadratic work grows by its square.
	factor = 16
	// mostGrowth is how many times more CPU time it may take; measurements are not exact.
	mostGrowth = factor * factor / 2
)

// around returns a text with levels of begin and end around it.
func around(begin, middle, end string, levels int) string {
	return strings.Repeat(begin, levels) + middle + strings.Repeat(end, levels)
}

// each returns count texts, in which %d is the index.
func each(text string, count int) string {
	var all strings.Builder
	for i := range count {
		fmt.Fprintf(&all, text, i)
	}
	return strings.TrimSuffix(all.String(), ",")
}

// answers are /sync answers of growing size, and the smaller size. Nested ones end a little below foreign.MaxDepth.
var answers = map[string]struct {
	size  int
	write func(size int) string
}{
	"nested objects": {2000, func(size int) string { return around(`{"a":`, "0", "}", size) }},
	"nested arrays":  {2000, func(size int) string { return around("[", "", "]", size) }},
	"nested objects of several members": {2000, func(size int) string {
		return around(`{"a":[],"b":"ccc","content":{},"c":`, "0", "}", size)
	}},
	"a long string far down": {2000, func(size int) string { return around("[", `"`+strings.Repeat("a", 20*size)+`"`, "]", size) }},
	"nested events": {500, func(size int) string {
		return around(`{"type":"m.a","event_id":"$e","sender":"@a:hs1","content":{},"unsigned":{"x":`, "0", "}}", size)
	}},
	"nested stripped state": {500, func(size int) string {
		return around(`{"invite_state":[{"type":"m.a","sender":"@a:hs1","content":{}},`, "0", "]}", size)
	}},
	"many values, each deep": {12, func(size int) string { return "[" + each(around(`{"a":[`, "%d", "]}", 500)+",", size) + "]" }},
	"many events": {1000, func(size int) string {
		return inSync(each(`{"type":"m.a","event_id":"$%d","sender":"@a:hs1","content":{"a":{}}},`, size))
	}},
	"many events with a key as sender": {500, func(size int) string {
		return inSync(each(`{"type":"m.a","event_id":"$%d","sender":"`+aKey+`","content":{}},`, size))
	}},
	"one key in many places": {500, func(size int) string { return "{" + each(`"name%d":"`+aKey+`",`, size) + "}" }},
	"many members":           {2500, func(size int) string { return "{" + each(`"name%d":{},`, size) + "}" }},
	"one member many times":  {2500, func(size int) string { return "{" + each(`"content":%d,`, size) + "}" }},
	"an event of many members": {2500, func(size int) string {
		return inSync(`{"content":{},` + each(`"name%d":{},`, size) + `,"type":"m.a","sender":"@a"}`)
	}},
	"an event of many unsigned ones": {2500, func(size int) string {
		return inSync(`{"content":{},"type":"m.a","sender":"@a","unsigned":{` + each(`"name%d":[],`, size) + `}}`)
	}},
}

var aKey = newKey()

// TestMonitorsTakeLinearTime compares the CPU time for answers with that for answers that are factor times as large.
func TestMonitorsTakeLinearTime(t *testing.T) {
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			small, large := answer.write(answer.size), answer.write(factor*answer.size)
			_, err := foreign.Parse([]byte(large))
			require.NoError(t, err)
			assertLinear(t, func() { newWatch(pseudoid.FormatDendrite).get("/v3/sync", small) },
				func() { newWatch(pseudoid.FormatDendrite).get("/v3/sync", large) })
		})
	}
}

func TestPowerOfManyTakesLinearTime(t *testing.T) {
	alice, room := pseudoid.GenerateKeyPair(), newTestRoom(pseudoid.FormatDendrite, "!r:hs1")
	const size = 5000 // more than maxPowers
	small, large := room.powerLevels(alice, "{"+each(`"@u%d:hs2":1,`, size)+"}"), room.powerLevels(alice, "{"+each(`"@u%d:hs2":1,`, factor*size)+"}")
	var joins [][]byte
	for i := range factor * 25 {
		joins = append(joins, room.join(alice, fmt.Sprintf("@a%d:hs1", i)))
	}
	play := func(levels []byte, joins [][]byte) func() {
		return func() {
			w := newWatch(pseudoid.FormatDendrite)
			w.PseudonymousEvent("check", levels)
			for _, join := range joins {
				w.PseudonymousEvent("check", join)
			}
		}
	}
	t.Run("one event", func(t *testing.T) { assertLinear(t, play(small, nil), play(large, nil)) })
	t.Run("and joins", func(t *testing.T) { assertLinear(t, play(small, joins[:25]), play(large, joins)) })
}

// assertLinear takes the best of several measurements: other load can only lengthen them.
func assertLinear(t *testing.T, small, large func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var growth float64
	for range 5 {
		before, after := cpuTime(t, small), cpuTime(t, large)
		if growth = float64(after) / float64(before); growth < mostGrowth {
			t.Logf("%s, and %s of what is %d times as large: %.1f", before, after, factor, growth)
			return
		}
	}
	assert.Less(t, growth, float64(mostGrowth), "growth of the CPU time with an input that is %d times as large", factor)
}

// cpuTime returns the CPU time of the test's thread for one call of do, measured over at least 10 ms.
func cpuTime(t *testing.T, do func()) time.Duration {
	t.Helper()
	used := func() time.Duration {
		var usage unix.Rusage
		require.NoError(t, unix.Getrusage(unix.RUSAGE_THREAD, &usage))
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	runtime.GC()
	began, times := used(), 0
	for used()-began < 10*time.Millisecond {
		do()
		times++
	}
	return (used() - began) / time.Duration(times)
}
