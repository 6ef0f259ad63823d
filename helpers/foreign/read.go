// Package foreign reads bodies from servers under test. It bounds their size and nesting, so that no JSON parser (gjson's validator
// has no bound of its own) runs out of stack or time. Value visits JSON in linear time.
package foreign

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

const (
	// MaxBytes bounds a body. Answers about the largest rooms of the checks have a few megabytes.
	MaxBytes = 64 << 20
	// MaxDepth bounds the nesting of arrays and objects. Legal answers are within it: an event has at most 65,536 bytes
	// (client-server API, "Size limits"), so at most 32,768 levels, and answers add a few. Hostile events of checks nest almost
	// that deep, and a server may return them.
	MaxDepth = 1<<15 + 1<<8
	// MaxWork bounds the bytes that a parser reads that scans nested values again at each level, as CheckWork counts them. An event
	// of 65,536 bytes causes at most 2^30.
	MaxWork = 1 << 32
	// kept is how many bytes of a refused body are returned as evidence; they cannot nest deeply.
	kept = 4 << 10
)

// Error is one of ErrTooLarge, ErrTooDeep and ErrTooMuchWork.
type Error struct{ problem string }

// The errors of Read, Parse and CheckWork for bodies out of bounds.
var (
	ErrTooLarge    = &Error{fmt.Sprintf("the body is larger than %d MiB", MaxBytes>>20)}
	ErrTooDeep     = &Error{fmt.Sprintf("the body nests deeper than %d levels", MaxDepth)}
	ErrTooMuchWork = &Error{"the body nests too deep for its size"}
)

// Error says which bound is exceeded.
func (e *Error) Error() string { return e.problem }

// Read reads a body to its end. The error is an *Error if the body is out of bounds, or else the reader's. With an *Error it
// returns the beginning of the body, with another error all that was read: always within bounds.
func Read(body io.Reader) ([]byte, error) {
	read, err := readAll(body)
	if tooDeep(read) {
		return bytes.Clone(read[:min(len(read), kept)]), ErrTooDeep
	}
	return read, err
}

// chunks are buffers for bodies of unknown size. They are pooled so that a server that always sends too much does not cost new
// memory each time.
var chunks = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// readAll reads a body to its end. If it is too large, it returns its beginning and ErrTooLarge.
func readAll(body io.Reader) (read []byte, err error) {
	var held []*[64 << 10]byte
	defer func() {
		for _, each := range held {
			chunks.Put(each)
		}
	}()
	size, room := 0, []byte(nil) // room is the rest of the last chunk
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

// tooDeep reports whether brackets outside strings nest deeper than MaxDepth. A body that is not JSON counts as nested at least as
// deeply as a JSON parser gets before it notices.
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

// stringEnd returns the index after the string whose opening quotation mark is at i, at most the length of text.
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

// CheckWork returns ErrTooMuchWork if a body is too expensive for libraries that scan nested values again at each level: each byte
// counts once for each array or object around it.
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
