package check

import (
	"regexp"
	"strings"
)

const (
	// maxReason bounds a reason, in bytes: reports show it on one line.
	maxReason = 600
	// maxMessage bounds, in bytes, the message that a reason is made from: messages quote servers' answers.
	maxMessage = 64 << 10
)

// condense turns a message into one line. Of testify's labelled blocks it keeps "Error" and "Messages".
func condense(message string) string {
	if len(message) > maxMessage { // keep the end: testify puts Messages there
		message = message[:maxMessage/2] + "..." + message[len(message)-maxMessage/2:]
	}
	if strings.Contains(message, "Error Trace:") {
		message = condenseTestify(message)
	}
	line := strings.Join(strings.Fields(message), " ")
	if len(line) > maxReason {
		line = strings.ToValidUTF8(line[:maxReason], "") + "..."
	}
	return line
}

// notEqual is how testify says that two values differ, with a comparison of the two in the end if they are long.
var notEqual = regexp.MustCompile(`^Not equal: expected: (.*?) actual\s*: (.*?)(?: Diff: --- Expected.*)?$`)

func condenseTestify(message string) string {
	sections := map[string][]string{}
	label := ""
	for _, line := range strings.Split(message, "\n") {
		trimmed := strings.TrimSpace(line)
		for _, known := range []string{"Error Trace:", "Error:", "Messages:", "Test:"} {
			if rest, found := strings.CutPrefix(trimmed, known); found {
				label, trimmed = known, strings.TrimSpace(rest)
				break
			}
		}
		if trimmed != "" {
			sections[label] = append(sections[label], trimmed)
		}
	}
	what := strings.Join(sections["Error:"], " ")
	if values := notEqual.FindStringSubmatch(what); values != nil {
		what = "expected " + values[1] + ", got " + values[2]
	}
	if meaning := strings.Join(sections["Messages:"], " "); meaning != "" {
		return meaning + ": " + what
	}
	return what
}
