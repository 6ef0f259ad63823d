package clientapi

// This file parses requests and writes errors (client-server API, "API Standards").

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/reference/rooms"
	"msc4014/reference/users"
)

// maxBody is the maximum size of a request body, in bytes, except for media.
const maxBody = 4 << 20

// request is a request of a client, with its user and device.
type request struct {
	*http.Request
	api      *API
	response http.ResponseWriter
	users.Holder
	token string
}

// authenticate sets the holder of the access token, which is in the header or, from older clients, in the query.
func (r *request) authenticate() error {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		token = r.URL.Query().Get("access_token")
	}
	if token == "" {
		return &rooms.Error{Status: http.StatusUnauthorized, Code: "M_MISSING_TOKEN", Text: "an access token is required"}
	}
	holder, found := r.api.Users.Authenticate(token)
	if !found {
		return &rooms.Error{Status: http.StatusUnauthorized, Code: "M_UNKNOWN_TOKEN", Text: "the access token is unknown: log in"}
	}
	r.Holder, r.token = holder, token
	return nil
}

// body returns the body, which must be a JSON object. An absent body counts as an empty object.
func (r *request) body() (json.RawMessage, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, rooms.Bad("M_NOT_JSON", "the body broke off: %v", err)
	case len(raw) > maxBody:
		return nil, tooLarge(maxBody)
	case len(raw) == 0:
		return json.RawMessage("{}"), nil
	case !json.Valid(raw):
		return nil, rooms.Bad("M_NOT_JSON", "the body is not JSON")
	case !gjson.ParseBytes(raw).IsObject():
		return nil, rooms.Bad("M_BAD_JSON", "the body is not a JSON object")
	}
	return raw, nil
}

func tooLarge(limit int) error {
	text := fmt.Sprintf("the body has more than %d bytes", limit)
	return &rooms.Error{Status: http.StatusRequestEntityTooLarge, Code: "M_TOO_LARGE", Text: text}
}

// into parses the body into a value.
func (r *request) into(value any) error {
	raw, err := r.body()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, value); err != nil {
		return rooms.Bad("M_BAD_JSON", "the body is malformed: %v", err)
	}
	return nil
}

// query returns a query parameter, or "".
func (r *request) query(name string) string { return r.URL.Query().Get(name) }

// itself returns an error unless the user is the one in the path.
func (r *request) itself() error {
	if named := r.PathValue("userID"); named != r.UserID {
		return rooms.Forbidden("%s may not do that for %s", r.UserID, named)
	}
	return nil
}

// number parses an integer parameter.
func number(text, name string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, rooms.Bad("M_INVALID_PARAM", "%s is %q, not an integer", name, text)
	}
	return n, nil
}

// statuses are the HTTP statuses of refusals other than 400.
var statuses = map[string]int{
	"M_FORBIDDEN": http.StatusForbidden, "M_USER_DEACTIVATED": http.StatusForbidden, "M_NOT_FOUND": http.StatusNotFound,
	"M_WRONG_ROOM_KEYS_VERSION": http.StatusForbidden,
}

// writeError writes a standard error response.
func (a *API) writeError(w http.ResponseWriter, r *http.Request, err error) {
	var unconfirmed *unconfirmedError
	if errors.As(err, &unconfirmed) {
		writeJSON(w, http.StatusUnauthorized, unconfirmed.body)
		return
	}
	known := rooms.AsError(err)
	var refusal *users.Refusal
	if errors.As(err, &refusal) {
		status, found := statuses[refusal.Code]
		if !found {
			status = http.StatusBadRequest
		}
		known = &rooms.Error{Status: status, Code: refusal.Code, Text: refusal.Message}
	}
	if known.Status >= http.StatusInternalServerError {
		a.Log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	body := object{"errcode": known.Code, "error": known.Text}
	if known.RoomVersion != "" {
		body["room_version"] = known.RoomVersion
	}
	writeJSON(w, known.Status, body)
}
