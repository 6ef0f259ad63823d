// Package packed keeps values compressed until somebody looks at them: the evidence of hundreds of checks waits for the last health
// checks of their servers, and most of it is text of the same few servers.
package packed

import (
	"bytes"
	"compress/flate"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Value has a value in about a tenth of its memory. It must be one that encoding/gob can encode. Empty slices and maps become nil.
type Value[T any] struct {
	data []byte
	err  error // why the value could not be packed
}

// compressors are used again: a new one takes over a megabyte. They are fast rather than good.
var compressors = sync.Pool{New: func() any {
	compressor, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // only the level can be wrong
	}
	return compressor
}}

// Of packs a value. If that fails, Get says so.
func Of[T any](value T) *Value[T] {
	compressor := compressors.Get().(*flate.Writer)
	defer compressors.Put(compressor)
	var data bytes.Buffer
	compressor.Reset(&data)
	err := errors.Join(gob.NewEncoder(compressor).Encode(value), compressor.Close())
	compressor.Reset(io.Discard) // lets go of the data
	if err != nil {
		return &Value[T]{err: fmt.Errorf("cannot pack a %T: %w", value, err)}
	}
	return &Value[T]{data: bytes.Clone(data.Bytes())}
}

// Get returns a copy of the value, and the zero value for nil.
func (v *Value[T]) Get() (value T, err error) {
	if v == nil {
		return value, nil
	}
	if v.err != nil {
		return value, v.err
	}
	if err := gob.NewDecoder(flate.NewReader(bytes.NewReader(v.data))).Decode(&value); err != nil {
		return value, fmt.Errorf("cannot unpack a %T: %w", value, err)
	}
	return value, nil
}
