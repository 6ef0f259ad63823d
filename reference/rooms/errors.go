package rooms

// This file has the errors that are told to clients and peers (client-server API, "Standard error response").

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is an error in Matrix's form.
type Error struct {
	Status      int    // of HTTP
	Code        string // errcode
	Text        string
	RoomVersion string // with M_INCOMPATIBLE_ROOM_VERSION
}

// Error tells the code and what happened.
func (e *Error) Error() string { return e.Code + ": " + e.Text }

// Forbidden says that something is not allowed.
func Forbidden(format string, args ...any) error {
	return &Error{Status: http.StatusForbidden, Code: "M_FORBIDDEN", Text: fmt.Sprintf(format, args...)}
}

// NotFound says that something is not there.
func NotFound(format string, args ...any) error {
	return &Error{Status: http.StatusNotFound, Code: "M_NOT_FOUND", Text: fmt.Sprintf(format, args...)}
}

// Bad says that a request makes no sense; code is its errcode.
func Bad(code, format string, args ...any) error {
	return &Error{Status: http.StatusBadRequest, Code: code, Text: fmt.Sprintf(format, args...)}
}

// AsError returns an error in Matrix's form: M_UNKNOWN, 500, for one that is not meant for others.
func AsError(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{Status: http.StatusInternalServerError, Code: "M_UNKNOWN", Text: err.Error()}
}
