package check

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCrashIn(t *testing.T) {
	trimmed := `time="..." level=info msg="panic: not one"
panic: runtime error: index out of range [3]
	panic: again

goroutine 7 [running]:
strings.Repeat(...)
	strings/strings.go:600 +0x1
github.com/matrix-org/dendrite/roomserver/state.(*A).B(0x1)
	github.com/matrix-org/dendrite@v0.13.8/roomserver/state/state.go:42 +0x2b3
`
	for log, expected := range map[string]string{
		"":                       "",
		"level=info all is well": "",
		trimmed:                  "panic: runtime error: index out of range [3], at state/state.go:42",
		"panic: no stack":        "panic: no stack",
		"fatal error: stack overflow\n\nruntime.x()\n\t/usr/local/go/src/runtime/panic.go:1\nmain.f()\n\t/src/cmd/main.go:7 +0x1\n": "fatal error: stack overflow, at cmd/main.go:7",
		"thread 'main' panicked at src/main.rs:4:10:\ncalled `unwrap()` on None\n":                                                  "panic: called `unwrap()` on None, at src/main.rs:4:10",
		"panic: " + strings.Repeat("x", 1000): "panic: " + strings.Repeat("x", longestCrash-7) + "...",
	} {
		assert.Equal(t, expected, crashIn(log), log)
	}
	assert.Equal(t, "hs1 exited with status 2: panic: no stack", Death{Cause: "hs1 exited with status 2", LogTail: "panic: no stack\n"}.String())
	assert.Equal(t, "hs1 exited with status 2", Death{Cause: "hs1 exited with status 2", LogTail: "exit"}.String())
}
