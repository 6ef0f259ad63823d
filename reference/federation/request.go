package federation

// This file reads and authenticates requests, and writes responses.

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"msc4014/reference/keyring"
	"msc4014/reference/rooms"
	"msc4014/reference/users"
)

// maximumBody is the maximum size of a request body, in bytes: enough for 50 events and 100 EDUs.
const maximumBody = 16 << 20

// request is a request and its origin.
type request struct {
	*http.Request
	origin string // "" on endpoints without authentication
	body   []byte
}

// handler answers a request: with a value to be written as JSON, or an error, which becomes a standard error response
// if it is a rooms.Error or a users.Refusal.
type handler func(r *request) (any, error)

// open serves a handler without authentication.
func (s *Server) open(answer handler) http.HandlerFunc {
	return s.handle(answer, func(*request) error { return nil })
}

// authenticated serves a handler to servers that signed their request (server-server API, "Request authentication").
func (s *Server) authenticated(answer handler) http.HandlerFunc {
	return s.handle(answer, func(r *request) (err error) {
		r.origin, err = s.Keys.CheckRequest(r.Request, r.body)
		if err == nil {
			s.Client.Heard(r.origin)
		}
		return err
	})
}

func (s *Server) handle(answer handler, authenticate func(*request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maximumBody))
		request := &request{Request: r, body: body}
		if err == nil {
			if err = authenticate(request); err != nil && !errors.Is(err, keyring.ErrNotJSON) {
				err = &rooms.Error{Status: http.StatusUnauthorized, Code: "M_UNAUTHORIZED", Text: err.Error()}
			}
		}
		var out any
		if err == nil {
			out, err = answer(request)
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		write(w, http.StatusOK, out)
	}
}

// refuse writes an error response.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	known := inMatrixForm(err)
	s.Log.Info("a request from another server was refused", "method", r.Method, "uri", r.RequestURI, "status", known.Status, "error", known)
	body := map[string]string{"errcode": known.Code, "error": known.Text}
	if known.RoomVersion != "" {
		body["room_version"] = known.RoomVersion
	}
	write(w, known.Status, body)
}

// inMatrixForm returns an error as a standard error response.
func inMatrixForm(err error) *rooms.Error {
	var tooLarge *http.MaxBytesError
	var refusal *users.Refusal
	switch {
	case errors.As(err, &tooLarge):
		return &rooms.Error{Status: http.StatusRequestEntityTooLarge, Code: "M_TOO_LARGE", Text: "the body is too large"}
	case errors.Is(err, keyring.ErrNotJSON):
		return &rooms.Error{Status: http.StatusBadRequest, Code: "M_NOT_JSON", Text: err.Error()}
	case errors.As(err, &refusal):
		status := http.StatusBadRequest
		switch refusal.Code {
		case "M_NOT_FOUND":
			status = http.StatusNotFound
		case "M_FORBIDDEN":
			status = http.StatusForbidden
		}
		return &rooms.Error{Status: status, Code: refusal.Code, Text: refusal.Message}
	}
	return rooms.AsError(err)
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // the client may be gone
}

// read parses the body into a value. Go matches field names in any case; that only affects faulty bodies, and events
// are parsed by their own rules.
func (r *request) read(into any) error {
	if len(r.body) == 0 {
		return rooms.Bad("M_NOT_JSON", "the request has no body")
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		return rooms.Bad("M_BAD_JSON", "the body: %v", err)
	}
	return nil
}

// number returns an integer query parameter, or otherwise if it is absent.
func (r *request) number(name string, otherwise int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, rooms.Bad("M_INVALID_PARAM", "%s is %q, no integer", name, text)
	}
	return value, nil
}
