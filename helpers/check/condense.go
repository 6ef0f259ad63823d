package check

import "strings"

const (
	// longestReason bounds a reason, in bytes: reports show it on one line.
	longestReason = 600
	// longestMessage bounds, in bytes, what a reason is made of: messages quote what servers say.
	longestMessage = 64 << 10
)

// condense makes one line of a message. Of testify's labelled blocks it keeps what went wrong and what it means.
func condense(message string) string {
	if len(message) > longestMessage { // what is meant stands at the end of testify's
		message = message[:longestMessage/2] + "..." + message[len(message)-longestMessage/2:]
	}
	if strings.Contains(message, "Error Trace:") {
		message = condenseTestify(message)
	}
	line := strings.Join(strings.Fields(message), " ")
	if len(line) > longestReason {
		line = strings.ToValidUTF8(line[:longestReason], "") + "..."
	}
	return line
}

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
	if meaning := strings.Join(sections["Messages:"], " "); meaning != "" {
		return meaning + ": " + what
	}
	return what
}
