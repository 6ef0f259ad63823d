package clientapi

// This file serves accounts and logins (client-server API, "Client Authentication").

import (
	"crypto/rand"
	"encoding/json"

	"msc4014/reference/rooms"
	"msc4014/reference/users"
)

func (a *API) accountRoutes() []route {
	return []route{
		{"GET", "/v3/login", a.loginFlows, true},
		{"POST", "/v3/login", a.login, true},
		{"POST", "/v3/register", a.registerUser, true},
		{"GET", "/v3/register/available", a.available, true},
		{"POST", "/v3/logout", a.logout, false},
		{"POST", "/v3/logout/all", a.logoutAll, false},
		{"GET", "/v3/account/whoami", a.whoami, false},
		{"POST", "/v3/account/password", a.changePassword, false},
		{"POST", "/v3/account/deactivate", a.deactivate, false},
		{"GET", "/v3/account/3pid", noThirdParty, false},
	}
}

func noThirdParty(*request) (any, error) { return object{"threepids": []any{}}, nil }

// unconfirmedError asks a client to confirm a request (client-server API, "User-Interactive Authentication").
type unconfirmedError struct{ body object }

func (*unconfirmedError) Error() string { return "the request must be confirmed" }

// confirmation is the auth object of a request.
type confirmation struct {
	Type       string     `json:"type"`
	Session    string     `json:"session"`
	Password   string     `json:"password"`
	User       string     `json:"user"`
	Identifier identifier `json:"identifier"`
}

// identifier names a user.
type identifier struct {
	Type string `json:"type"`
	User string `json:"user"`
}

// mustConfirm returns an error that asks for a stage of confirmation. All flows have one stage, whose data comes with
// the request itself, so sessions have no state, and any session ID is accepted.
func mustConfirm(stage string, given *confirmation, why error) error {
	body := object{"flows": []object{{"stages": []string{stage}}}, "params": object{}, "session": rand.Text()}
	if given != nil && given.Session != "" {
		body["session"] = given.Session
	}
	if why != nil {
		body["errcode"], body["error"], body["completed"] = "M_FORBIDDEN", why.Error(), []string{}
	}
	return &unconfirmedError{body}
}

// confirmPassword returns an error unless the request has the user's password.
func (r *request) confirmPassword(given *confirmation) error {
	if given == nil || given.Type == "" {
		return mustConfirm("m.login.password", given, nil)
	}
	userID, err := r.api.userOf(given.Identifier, given.User)
	if err == nil && userID != r.UserID {
		err = rooms.Forbidden("%s is not who is logged in", userID)
	}
	if err == nil {
		err = r.api.Users.CheckPassword(userID, given.Password)
	}
	if given.Type != "m.login.password" || err != nil {
		return mustConfirm("m.login.password", given, err)
	}
	return nil
}

// userOf returns the user ID of the user that a request names, in the current or the older format.
func (a *API) userOf(id identifier, user string) (string, error) {
	if id.Type != "" && id.Type != "m.id.user" {
		return "", rooms.Bad("M_UNRECOGNIZED", "identifiers of type %q are not supported", id.Type)
	}
	if id.User != "" {
		user = id.User
	}
	if user == "" {
		return "", rooms.Bad("M_MISSING_PARAM", "the request names no user")
	}
	localpart, err := a.Users.Localpart(user)
	return "@" + localpart + ":" + a.Server, err
}

func (a *API) loginFlows(*request) (any, error) {
	return object{"flows": []object{{"type": "m.login.password"}}}, nil
}

func (a *API) login(r *request) (any, error) {
	var login struct {
		confirmation
		DeviceID   string `json:"device_id"`
		DeviceName string `json:"initial_device_display_name"`
	}
	if err := r.into(&login); err != nil {
		return nil, err
	}
	if login.Type != "m.login.password" {
		return nil, rooms.Bad("M_UNKNOWN", "login type %q is not supported", login.Type)
	}
	userID, err := a.userOf(login.Identifier, login.User)
	if err == nil {
		err = a.Users.CheckPassword(userID, login.Password)
	}
	if err != nil {
		return nil, err
	}
	return a.loggedIn(userID, login.DeviceID, login.DeviceName)
}

// loggedIn logs a device in and returns the response of login and register.
func (a *API) loggedIn(userID, deviceID, deviceName string) (any, error) {
	holder, token, err := a.Users.LogIn(userID, deviceID, deviceName)
	return object{
		"user_id": userID, "device_id": holder.DeviceID, "access_token": token, "home_server": a.Server,
	}, err
}

func (a *API) registerUser(r *request) (any, error) {
	var registration struct {
		Auth         *confirmation `json:"auth"`
		Username     string        `json:"username"`
		Password     string        `json:"password"`
		DeviceID     string        `json:"device_id"`
		DeviceName   string        `json:"initial_device_display_name"`
		InhibitLogin bool          `json:"inhibit_login"`
	}
	if err := r.into(&registration); err != nil {
		return nil, err
	}
	if r.query("kind") == "guest" {
		return nil, rooms.Forbidden("guest accounts are not supported")
	}
	if registration.Username != "" {
		if err := a.Users.CheckAvailable(registration.Username); err != nil {
			return nil, err
		}
	}
	if registration.Auth == nil || registration.Auth.Type != "m.login.dummy" {
		return nil, mustConfirm("m.login.dummy", registration.Auth, nil)
	}
	userID, err := a.Users.Register(registration.Username, registration.Password)
	if err != nil || registration.InhibitLogin {
		return object{"user_id": userID, "home_server": a.Server}, err
	}
	return a.loggedIn(userID, registration.DeviceID, registration.DeviceName)
}

func (a *API) available(r *request) (any, error) {
	return object{"available": true}, a.Users.CheckAvailable(r.query("username"))
}

func (a *API) logout(r *request) (any, error) {
	return empty{}, a.Users.DeleteDevices(r.UserID, r.DeviceID)
}

func (a *API) logoutAll(r *request) (any, error) { return empty{}, a.Users.DeleteAllDevices(r.UserID) }

func (a *API) whoami(r *request) (any, error) {
	return object{"user_id": r.UserID, "device_id": r.DeviceID, "is_guest": false}, nil
}

func (a *API) changePassword(r *request) (any, error) {
	var change struct {
		Auth          *confirmation `json:"auth"`
		NewPassword   string        `json:"new_password"`
		LogoutDevices *bool         `json:"logout_devices"`
	}
	if err := r.into(&change); err != nil {
		return nil, err
	}
	if err := r.confirmPassword(change.Auth); err != nil {
		return nil, err
	}
	if change.NewPassword == "" {
		return nil, rooms.Bad("M_MISSING_PARAM", "new_password is missing")
	}
	logOutOthers := change.LogoutDevices == nil || *change.LogoutDevices
	return empty{}, a.Users.SetPassword(r.UserID, change.NewPassword, r.DeviceID, logOutOthers)
}

// deactivate deactivates an account. It leaves the rooms first, while the user still exists.
func (a *API) deactivate(r *request) (any, error) {
	var change struct {
		Auth *confirmation `json:"auth"`
	}
	if err := r.into(&change); err != nil {
		return nil, err
	}
	if err := r.confirmPassword(change.Auth); err != nil {
		return nil, err
	}
	if err := a.Rooms.Deactivate(r.Context(), r.UserID); err != nil {
		return nil, err
	}
	return object{"id_server_unbind_result": "no-support"}, a.Users.Deactivate(r.UserID)
}

func (a *API) deviceRoutes() []route {
	return []route{
		{"GET", "/v3/devices", a.devices, false},
		{"GET", "/v3/devices/{deviceID}", a.device, false},
		{"PUT", "/v3/devices/{deviceID}", a.renameDevice, false},
		{"DELETE", "/v3/devices/{deviceID}", a.deleteDevice, false},
		{"POST", "/v3/delete_devices", a.deleteDevices, false},
	}
}

func shownDevice(d users.Device) object {
	shown := object{"device_id": d.ID}
	if d.DisplayName != "" {
		shown["display_name"] = d.DisplayName
	}
	return shown
}

func (a *API) devices(r *request) (any, error) {
	devices := []object{}
	for _, device := range a.Users.Devices(r.UserID) {
		devices = append(devices, shownDevice(device))
	}
	return object{"devices": devices}, nil
}

func (a *API) device(r *request) (any, error) {
	device, found := a.Users.Device(users.Holder{UserID: r.UserID, DeviceID: r.PathValue("deviceID")})
	if !found {
		return nil, rooms.NotFound("%s has no device %s", r.UserID, r.PathValue("deviceID"))
	}
	return shownDevice(device), nil
}

func (a *API) renameDevice(r *request) (any, error) {
	var change struct {
		DisplayName string `json:"display_name"`
	}
	if err := r.into(&change); err != nil {
		return nil, err
	}
	return empty{}, a.Users.RenameDevice(users.Holder{UserID: r.UserID, DeviceID: r.PathValue("deviceID")}, change.DisplayName)
}

func (a *API) deleteDevice(r *request) (any, error) {
	return a.confirmedDeletion(r, func(json.RawMessage) ([]string, error) { return []string{r.PathValue("deviceID")}, nil })
}

func (a *API) deleteDevices(r *request) (any, error) {
	return a.confirmedDeletion(r, func(body json.RawMessage) ([]string, error) {
		var which struct {
			Devices []string `json:"devices"`
		}
		if err := json.Unmarshal(body, &which); err != nil {
			return nil, rooms.Bad("M_BAD_JSON", "devices must be a list of device IDs: %v", err)
		}
		return which.Devices, nil
	})
}

// confirmedDeletion deletes devices if the request is confirmed.
func (a *API) confirmedDeletion(r *request, which func(body json.RawMessage) ([]string, error)) (any, error) {
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	var with struct {
		Auth *confirmation `json:"auth"`
	}
	if err := json.Unmarshal(body, &with); err != nil {
		return nil, rooms.Bad("M_BAD_JSON", "auth is malformed: %v", err)
	}
	deviceIDs, err := which(body)
	if err != nil {
		return nil, err
	}
	if err := r.confirmPassword(with.Auth); err != nil {
		return nil, err
	}
	return empty{}, a.Users.DeleteDevices(r.UserID, deviceIDs...)
}
