package clientapi

// This file serves what clients store for themselves: account data, tags and filters.

import (
	"encoding/json"
	"net/http"

	"msc4014/reference/rooms"
	"msc4014/reference/users"
)

func (a *API) accountDataRoutes() []route {
	return []route{
		{"GET", "/v3/user/{userID}/account_data/{type}", a.accountData, false},
		{"PUT", "/v3/user/{userID}/account_data/{type}", a.setAccountData, false},
		{"GET", "/v3/user/{userID}/rooms/{roomID}/account_data/{type}", a.accountData, false},
		{"PUT", "/v3/user/{userID}/rooms/{roomID}/account_data/{type}", a.setAccountData, false},
		{"GET", "/v3/user/{userID}/rooms/{roomID}/tags", a.tags, false},
		{"PUT", "/v3/user/{userID}/rooms/{roomID}/tags/{tag}", a.setTag, false},
		{"DELETE", "/v3/user/{userID}/rooms/{roomID}/tags/{tag}", a.deleteTag, false},
		{"POST", "/v3/user/{userID}/filter", a.addFilter, false},
		{"GET", "/v3/user/{userID}/filter/{filterID}", a.filter, false},
	}
}

// accountData returns account data: of a room if the path has one, else global.
func (a *API) accountData(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	roomID, dataType := r.PathValue("roomID"), r.PathValue("type")
	if roomID == "" && dataType == "m.push_rules" {
		return object{"global": a.Users.PushRules(r.UserID)}, nil
	}
	content, found := a.Users.AccountData(r.UserID, roomID, dataType)
	if !found {
		return nil, rooms.NotFound("there is no account data of type %s", dataType)
	}
	return content, nil
}

func (a *API) setAccountData(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	dataType := r.PathValue("type")
	if dataType == users.FullyRead || dataType == "m.push_rules" {
		text := "account data of type " + dataType + " has an endpoint of its own"
		return nil, &rooms.Error{Status: http.StatusMethodNotAllowed, Code: "M_BAD_JSON", Text: text}
	}
	content, err := r.body()
	if err != nil {
		return nil, err
	}
	return empty{}, a.Users.SetAccountData(r.UserID, r.PathValue("roomID"), dataType, content)
}

func (a *API) tags(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	return object{"tags": a.Users.Tags(r.UserID, r.PathValue("roomID"))}, nil
}

func (a *API) setTag(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	fields, err := r.body()
	if err != nil {
		return nil, err
	}
	return empty{}, a.Users.SetTag(r.UserID, r.PathValue("roomID"), r.PathValue("tag"), fields)
}

func (a *API) deleteTag(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	return empty{}, a.Users.SetTag(r.UserID, r.PathValue("roomID"), r.PathValue("tag"), nil)
}

func (a *API) addFilter(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	raw, err := r.body()
	if err != nil {
		return nil, err
	}
	if _, err := parseFilter(raw); err != nil {
		return nil, err
	}
	id, err := a.Users.AddFilter(r.UserID, raw)
	return object{"filter_id": id}, err
}

func (a *API) filter(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	filter, found := a.Users.Filter(r.UserID, r.PathValue("filterID"))
	if !found {
		return nil, rooms.NotFound("there is no filter %s", r.PathValue("filterID"))
	}
	return json.RawMessage(filter), nil
}
