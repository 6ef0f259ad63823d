package rooms

// This file has the errors that clients and peers get (client-server API, "Standard error response").

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is a standard error response.
type Error struct {
	Status      int    // the HTTP status
	Code        string // errcode
	Text        string
	RoomVersion string // for M_INCOMPATIBLE_ROOM_VERSION
}

func (e *Error) Error() string { return e.Code + ": " + e.Text }

// Forbidden returns an M_FORBIDDEN error.
func Forbidden(format string, args ...any) error {
	return &Error{Status: http.StatusForbidden, Code: "M_FORBIDDEN", Text: fmt.Sprintf(format, args...)}
}

// NotFound returns an M_NOT_FOUND error.
func NotFound(format string, args ...any) error {
	return &Error{Status: http.StatusNotFound, Code: "M_NOT_FOUND", Text: fmt.Sprintf(format, args...)}
}

// Bad returns an error for a bad request; code is its errcode.
func Bad(code, format string, args ...any) error {
	return &Error{Status: http.StatusBadRequest, Code: code, Text: fmt.Sprintf(format, args...)}
}

// AsError returns the standard error response for an error: itself, or M_UNKNOWN with status 500.
func AsError(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{Status: http.StatusInternalServerError, Code: "M_UNKNOWN", Text: err.Error()}
}
