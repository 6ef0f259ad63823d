package check

// What a server's log says of its crash.

import (
	"path"
	"regexp"
	"strings"
)

// String returns how the deployment ended and, where the log tells, by what: "hs1 exited with status 2: panic: index out of range, at
// roomserver/state.go:42".
func (d Death) String() string {
	if crash := crashIn(d.LogTail); crash != "" {
		return d.Cause + ": " + crash
	}
	return d.Cause
}

var (
	goCrash   = regexp.MustCompile(`^(?:panic|fatal error): `)
	goFrame   = regexp.MustCompile(`^\t(\S+\.go:\d+)`)
	rustPanic = regexp.MustCompile(`^thread '.*' (?:\(\d+\) )?panicked at (.+?):?$`)
)

// longestCrash bounds the message of a crash, in bytes: it may quote what a liar sent.
const longestCrash = 200

// crashIn returns the message of the last panic in a log, of Go or Rust, and the first place in the server's own source, or its
// dependencies', that its stack names; "" if there is none.
func crashIn(log string) string {
	lines := strings.Split(log, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if rust := rustPanic.FindStringSubmatch(lines[i]); rust != nil {
			place, message, _ := strings.Cut(rust[1], ", ")
			if message == "" && i+1 < len(lines) {
				message = lines[i+1]
			}
			return crash("panic: "+message, place)
		}
		if !goCrash.MatchString(lines[i]) {
			continue
		}
		for _, line := range lines[i:] {
			if frame := goFrame.FindStringSubmatch(line); frame != nil && !ofGo(frame[1]) {
				return crash(lines[i], path.Join(path.Base(path.Dir(frame[1])), path.Base(frame[1])))
			}
		}
		return crash(lines[i], "")
	}
	return ""
}

func crash(message, place string) string {
	message = condense(message)
	if len(message) > longestCrash {
		message = strings.ToValidUTF8(message[:longestCrash], "") + "..."
	}
	if place != "" {
		message += ", at " + condense(place)
	}
	return message
}

// ofGo reports whether a source file is of Go itself: in its folder, or below a first folder that is not a host, as in builds with -trimpath.
func ofGo(file string) bool {
	first, _, _ := strings.Cut(file, "/")
	return strings.Contains(file, "/go/src/") || first != "" && !strings.Contains(first, ".")
}
