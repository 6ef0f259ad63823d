package clientapi

// This file serves keys for end-to-end encryption, and to-device messages.

import (
	"context"
	"encoding/json"
	"time"

	"msc4014/reference/rooms"
	"msc4014/reference/users"
)

func (a *API) keyRoutes() []route {
	return []route{
		{"POST", "/v3/keys/upload", a.uploadKeys, false},
		{"POST", "/v3/keys/query", a.queryKeys, false},
		{"POST", "/v3/keys/claim", a.claimKeys, false},
		{"GET", "/v3/keys/changes", a.keyChanges, false},
		{"POST", "/v3/keys/device_signing/upload", a.uploadSigningKeys, false},
		{"POST", "/v3/keys/signatures/upload", a.uploadSignatures, false},
		{"PUT", "/v3/sendToDevice/{type}/{transactionID}", a.sendToDevice, false},
	}
}

func (a *API) uploadKeys(r *request) (any, error) {
	var upload users.KeyUpload
	if err := r.into(&upload); err != nil {
		return nil, err
	}
	if err := a.Users.UploadKeys(r.Holder, upload); err != nil {
		return nil, err
	}
	counts, _ := a.Users.OneTimeKeyCounts(r.Holder)
	return object{"one_time_key_counts": counts}, nil
}

// patience returns a context with the timeout, in milliseconds, for which a client wants to wait for other servers.
func (r *request) patience(milliseconds *int64) (context.Context, context.CancelFunc) {
	wait := 10 * time.Second
	if milliseconds != nil {
		wait = min(time.Duration(*milliseconds)*time.Millisecond, time.Minute)
	}
	return context.WithTimeout(r.Context(), wait)
}

func (a *API) queryKeys(r *request) (any, error) {
	var query struct {
		DeviceKeys map[string][]string `json:"device_keys"`
		Timeout    *int64              `json:"timeout"`
	}
	if err := r.into(&query); err != nil {
		return nil, err
	}
	ctx, cancel := r.patience(query.Timeout)
	defer cancel()
	for userID := range query.DeviceKeys {
		a.named(ctx, userID) // a placeholder has no keys, but this retries the verification of its member
	}
	return a.Users.QueryKeys(ctx, r.UserID, query.DeviceKeys), nil
}

func (a *API) claimKeys(r *request) (any, error) {
	var claim struct {
		OneTimeKeys users.Claims `json:"one_time_keys"`
		Timeout     *int64       `json:"timeout"`
	}
	if err := r.into(&claim); err != nil {
		return nil, err
	}
	ctx, cancel := r.patience(claim.Timeout)
	defer cancel()
	keys, failures, err := a.Users.ClaimKeys(ctx, claim.OneTimeKeys)
	return object{"one_time_keys": keys, "failures": failures}, err
}

func (a *API) keyChanges(r *request) (any, error) {
	from, err := parseToken(r.query("from"))
	if err != nil {
		return nil, err
	}
	to, err := parseToken(r.query("to"))
	if err != nil {
		return nil, err
	}
	return a.deviceLists(r.UserID, from, to), nil
}

// uploadSigningKeys stores cross-signing keys; replacing them needs confirmation.
func (a *API) uploadSigningKeys(r *request) (any, error) {
	var upload struct {
		users.SigningKeys
		Auth *confirmation `json:"auth"`
	}
	if err := r.into(&upload); err != nil {
		return nil, err
	}
	if a.Users.SigningKeysOf(r.UserID).Master != nil {
		if err := r.confirmPassword(upload.Auth); err != nil {
			return nil, err
		}
	}
	return empty{}, a.Users.UploadSigningKeys(r.UserID, upload.SigningKeys)
}

func (a *API) uploadSignatures(r *request) (any, error) {
	var upload map[string]map[string]json.RawMessage
	if err := r.into(&upload); err != nil {
		return nil, err
	}
	failures, err := a.Users.UploadSignatures(r.UserID, upload)
	return object{"failures": failures}, err
}

func (a *API) sendToDevice(r *request) (any, error) {
	var body struct {
		Messages users.Messages `json:"messages"`
	}
	if err := r.into(&body); err != nil {
		return nil, err
	}
	if body.Messages == nil {
		return nil, rooms.Bad("M_MISSING_PARAM", "messages are missing")
	}
	messageType := r.PathValue("type")
	_, err := a.Users.Once(r.Holder, "sendToDevice "+messageType, r.PathValue("transactionID"), func() (string, error) {
		return "", a.Users.SendToDevices(r.UserID, messageType, body.Messages)
	})
	return empty{}, err
}
