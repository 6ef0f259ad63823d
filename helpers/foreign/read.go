// Package foreign reads what servers under test send. Size and nesting are bounded on arrival, so that no reader of JSON
// behind it (gjson's validator has no bound of its own) runs out of stack or time; Value visits JSON in linear time.
package foreign

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

const (
	// MaxBytes bounds a body. Answers about the largest rooms that checks make have a few megabytes.
	MaxBytes = 64 << 20
	// MaxDepth bounds how deep arrays and objects nest. It refuses nothing that is legal: an event has at most 65,536 bytes
	// (client-server API, "Size limits"), which is room for 32,768 levels, and answers put events a few levels down. Hostile
	// events that checks send nest almost as deep, and a server may serve them again.
	MaxDepth = 1<<15 + 1<<8
	// MaxWork bounds the bytes that a reader looks at who scans what is nested anew at each level, as CheckWork counts them. An
	// event of 65,536 bytes makes at most 2^30 of them.
	MaxWork = 1 << 32
	// kept is how much of a refused body is returned, in bytes: evidence, and too short to nest deep.
	kept = 4 << 10
)

// Error says why a body was refused: it is ErrTooLarge, ErrTooDeep or ErrTooMuchWork.
type Error struct{ problem string }

// What Read, Parse and CheckWork refuse.
var (
	ErrTooLarge    = &Error{fmt.Sprintf("the body is larger than %d MiB", MaxBytes>>20)}
	ErrTooDeep     = &Error{fmt.Sprintf("the body nests deeper than %d levels", MaxDepth)}
	ErrTooMuchWork = &Error{"the body nests too deep for its size"}
)

// Error names the bound.
func (e *Error) Error() string { return e.problem }

// Read reads a body to its end. The error is an *Error if the body is out of bounds, and otherwise the reader's. The bytes
// that come with an error are what was read before it, of a body out of bounds its beginning: what is returned is always
// within bounds.
func Read(body io.Reader) ([]byte, error) {
	read, err := readAll(body)
	if tooDeep(read) {
		return bytes.Clone(read[:min(len(read), kept)]), ErrTooDeep
	}
	return read, err
}

// chunks are what bodies are read into before their size is known: a server that sends too much each time must not cost new
// memory each time.
var chunks = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// readAll reads a body to its end. It gives up one that is too large and returns its beginning with ErrTooLarge.
func readAll(body io.Reader) (read []byte, err error) {
	var held []*[64 << 10]byte
	defer func() {
		for _, each := range held {
			chunks.Put(each)
		}
	}()
	size, room := 0, []byte(nil) // room is what is left of the last chunk
	for err == nil && size <= MaxBytes {
		if len(room) == 0 {
			held = append(held, chunks.Get().(*[64 << 10]byte))
			room = held[len(held)-1][:]
		}
		var count int
		count, err = body.Read(room)
		size, room = size+count, room[count:]
	}
	if size > MaxBytes {
		return bytes.Clone(held[0][:kept]), ErrTooLarge
	}
	read = make([]byte, 0, size)
	for _, each := range held {
		read = append(read, each[:min(len(each), size-len(read))]...)
	}
	if err == io.EOF {
		err = nil
	}
	return read, err
}

// check returns an *Error if a body is out of bounds.
func check(body []byte) error {
	switch {
	case len(body) > MaxBytes:
		return ErrTooLarge
	case tooDeep(body):
		return ErrTooDeep
	}
	return nil
}

// tooDeep reports whether brackets outside strings nest deeper than MaxDepth. It does not recurse, and takes a body that
// is not JSON to nest at least as deep as a reader of JSON gets into it before it notices.
func tooDeep(body []byte) bool {
	if len(body) <= MaxDepth {
		return false
	}
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = stringEnd(body, i) - 1
		case '[', '{':
			if depth++; depth > MaxDepth {
				return true
			}
		case ']', '}':
			depth = max(depth-1, 0)
		}
	}
	return false
}

// stringEnd returns the index behind the string whose first quotation mark is at i, at most the length of text.
func stringEnd[T string | []byte](text T, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// CheckWork returns ErrTooMuchWork if a body is not fit for libraries that scan what is nested anew at each level: each byte
// counts as often as there are arrays and objects around it.
func CheckWork(body []byte) error {
	work, depth, counted := 0, 0, 0
	count := func(to, change int) {
		work += depth * (to - counted)
		depth, counted = max(depth+change, 0), to
	}
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = stringEnd(body, i) - 1
		case '[', '{':
			count(i, 1)
		case ']', '}':
			count(i+1, -1)
		}
	}
	count(len(body), 0)
	if work > MaxWork {
		return ErrTooMuchWork
	}
	return nil
}
