package page

// Which exchanges and which parts of them show what a check says.

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"msc4014/helpers/transcript"
)

// words are what a check's reason names: identifiers, by which exchanges are found, and what is marked in them.
type words struct {
	names []string // identifiers of events, users and keys
	marks *regexp.Regexp
}

var (
	identifier = regexp.MustCompile(`\$[A-Za-z0-9_/+-]{43}|@[^\s"',;()\[\]{}<>]+:[A-Za-z0-9.-]+(?::\d+)?|\b[A-Za-z0-9+/_-]{43}\b`)
	member     = regexp.MustCompile(`\b[a-z]+(?:_[a-z]+)+\b|"[^"\n]{3,80}"`)
)

// mostWords bounds the words of one check.
const mostWords = 24

func newWords(texts []string) words {
	var said words
	var patterns []string
	add := func(word string, name bool) {
		pattern := regexp.QuoteMeta(word)
		if len(word) < 4 || len(patterns) == mostWords || slices.Contains(patterns, pattern) {
			return
		}
		patterns = append(patterns, pattern)
		if name {
			said.names = append(said.names, word)
		}
	}
	for _, text := range texts {
		for _, word := range identifier.FindAllString(text, -1) {
			add(strings.TrimRight(word, ".:"), true)
		}
	}
	for _, text := range texts {
		for _, word := range member.FindAllString(text, -1) {
			add(strings.Trim(word, `"`), false)
		}
	}
	if len(patterns) > 0 {
		slices.SortFunc(patterns, func(a, b string) int { return len(b) - len(a) }) // the longest first
		said.marks = regexp.MustCompile(strings.Join(patterns, "|"))
	}
	return said
}

// chosen is an exchange to show, and why.
type chosen struct {
	role     transcript.Role
	exchange transcript.Exchange
}

// choose returns the exchanges that show a check's result, in their order. Of a check that passed only what was seen is shown.
func choose(exchanges []transcript.Exchange, said words, bad bool) []chosen {
	if len(exchanges) == 0 {
		return nil
	}
	seen := transcript.Noted(exchanges, transcript.NoteFailed)
	if seen < 0 {
		seen = bestMatch(exchanges, said)
	}
	if !bad {
		return []chosen{{transcript.Seen, exchanges[seen]}}
	}
	roles := transcript.Roles(exchanges, seen)
	var all []chosen
	for _, wanted := range []transcript.Role{transcript.Control, transcript.Act} {
		for i, role := range roles {
			if role == wanted && i != seen {
				all = append(all, chosen{wanted, exchanges[i]})
			}
		}
	}
	return append(all, chosen{transcript.Seen, exchanges[seen]})
}

// bestMatch returns the last of the exchanges whose answer has most of the names that a check's reason has.
func bestMatch(exchanges []transcript.Exchange, said words) int {
	best, most := len(exchanges)-1, 0
	for i := len(exchanges) - 1; i >= 0; i-- {
		count := 0
		for _, name := range said.names {
			if bytes.Contains(exchanges[i].ResponseBody, []byte(name)) || strings.Contains(exchanges[i].URL, name) {
				count++
			}
		}
		if count > most {
			best, most = i, count
		}
	}
	return best
}

// indented returns JSON with an indentation of one space, and other text as it is.
func indented(body []byte) string {
	var out bytes.Buffer
	if len(body) > longestExcerpt*32 || json.Indent(&out, body, "", " ") != nil {
		return string(body)
	}
	return out.String()
}

// eventsWith returns the events in a JSON body in which any of the names, or else any of the words, of a check occur; "" if there are none.
func eventsWith(body []byte, said words) string {
	if said.marks == nil {
		return ""
	}
	events := events(body)
	pick := func(has func([]byte) bool) string {
		var out []string
		for _, event := range events {
			if has(event) && len(out) < 3 {
				out = append(out, indented(event))
			}
		}
		return strings.Join(out, "\n…\n")
	}
	named := pick(func(event []byte) bool {
		return slices.ContainsFunc(said.names, func(name string) bool { return bytes.Contains(event, []byte(name)) })
	})
	if named != "" {
		return named
	}
	return pick(func(event []byte) bool { return said.marks.Match(event) })
}

// events returns the objects in a JSON text that have a type and content, in the order in which they end.
func events(body []byte) [][]byte {
	type object struct {
		start         int64
		keys          map[string]bool
		isKey, isList bool
	}
	var found [][]byte
	var stack []object
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil || len(stack) > 200 {
			return found
		}
		if delim, ok := token.(json.Delim); ok && (delim == '{' || delim == '[') {
			stack = append(stack, object{start: decoder.InputOffset() - 1, keys: map[string]bool{}, isKey: delim == '{', isList: delim == '['})
			continue
		}
		if _, ok := token.(json.Delim); ok {
			ended := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if ended.keys["type"] && ended.keys["content"] {
				found = append(found, body[ended.start:decoder.InputOffset()])
			}
		} else if len(stack) > 0 && stack[len(stack)-1].isKey {
			top := &stack[len(stack)-1]
			if key, ok := token.(string); ok {
				top.keys[key] = true
			}
			top.isKey = false
			continue
		}
		if len(stack) > 0 && !stack[len(stack)-1].isList {
			stack[len(stack)-1].isKey = true
		}
	}
}

// timestamp is how logs write a time, UTC.
var timestamp = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?`)

// linesAround returns the lines of a log that name what a check names, or else those nearest to a time.
func linesAround(text string, at time.Time, said words) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	middle := -1
	for i, line := range lines {
		if i > 2 && slices.ContainsFunc(said.names, func(name string) bool { return strings.Contains(line, name) }) {
			middle = i
		}
	}
	if middle < 0 && !at.IsZero() {
		for i, line := range lines {
			found := timestamp.FindString(line)
			when, err := time.Parse("2006-01-02T15:04:05.999999999", strings.Replace(found, " ", "T", 1))
			if err == nil && !when.After(at.UTC().Add(time.Second)) {
				middle = i
			}
		}
	}
	if middle < 0 {
		middle = len(lines) - 1
	}
	from := max(0, middle-logLines/2)
	to := min(len(lines), from+logLines)
	var kept []string
	for _, line := range lines[from:to] {
		if len(line) > 600 {
			line = strings.ToValidUTF8(line[:600], "") + "…"
		}
		kept = append(kept, line)
	}
	return strings.TrimSpace(strings.Join(kept, "\n"))
}
