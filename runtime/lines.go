package runtime

import "strings"

// LastLines returns the last lines of a text, such as a log, without trailing line breaks; lines <= 0 means all of it.
func LastLines(text string, lines int) string {
	text = strings.TrimRight(text, "\n")
	if lines <= 0 {
		return text
	}
	at := len(text)
	for range lines {
		if at = strings.LastIndexByte(text[:at], '\n'); at < 0 {
			return text
		}
	}
	return text[at+1:]
}
