package keyring

// This file signs requests to other servers and checks theirs (server-server API, "Request authentication").

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/fclient"
	"github.com/matrix-org/gomatrixserverlib/spec"

	"msc4014/reference/federation/transport"
)

// SignRequest returns the Authorization header of a request. uri is the path with its query, escaped as it is sent;
// body is JSON, or nil.
func (k *Keyring) SignRequest(method, destination, uri string, body []byte) (authorization string, err error) {
	request := fclient.NewFederationRequest(method, spec.ServerName(k.own.Name), spec.ServerName(destination), uri)
	if body != nil {
		err = request.SetContent(json.RawMessage(body))
	}
	if err == nil {
		err = request.Sign(spec.ServerName(k.own.Name), gomatrixserverlib.KeyID(k.own.KeyID), k.own.Key)
	}
	var signed *http.Request
	if err == nil {
		signed, err = request.HTTPRequest()
	}
	if err != nil {
		return "", fmt.Errorf("signing %s %s for %s: %w", method, uri, destination, err)
	}
	return signed.Header.Get("Authorization"), nil
}

// ErrNotJSON reports that the body of a request is not valid JSON.
var ErrNotJSON = errors.New("the body is not JSON")

// CheckRequest returns the server that sent a request. body is its whole body. The error is ErrNotJSON if the body is
// not JSON, or not JSON that every parser reads alike; any other error means that the request is not correctly signed,
// or that the keys are unavailable.
func (k *Keyring) CheckRequest(r *http.Request, body []byte) (origin string, err error) {
	if err := checkJSON(body); err != nil {
		return "", err
	}
	err = errors.New("the request has no Authorization header of the scheme X-Matrix")
	for _, header := range r.Header.Values("Authorization") {
		scheme, name, destination, keyID, signature := fclient.ParseAuthorization(header)
		if scheme != "X-Matrix" {
			continue
		}
		s := signedRequest{Method: r.Method, URI: r.RequestURI, Origin: string(name), Destination: k.serverName, Content: body}
		if destination != "" && string(destination) != k.serverName {
			err = fmt.Errorf("the request was signed for %s, this is %s", destination, k.serverName)
			continue
		}
		if err = k.checkRequest(r.Context(), s, string(keyID), signature); err == nil {
			return s.Origin, nil
		}
	}
	return "", err
}

// signedRequest is the object that a request's signature covers.
type signedRequest struct {
	Method      string                       `json:"method"`
	URI         string                       `json:"uri"`
	Origin      string                       `json:"origin"`
	Destination string                       `json:"destination"`
	Content     json.RawMessage              `json:"content,omitempty"`
	Signatures  map[string]map[string]string `json:"signatures"`
}

func (k *Keyring) checkRequest(ctx context.Context, s signedRequest, keyID, signature string) error {
	if _, err := transport.Address(s.Origin); err != nil {
		return err
	}
	s.Signatures = map[string]map[string]string{s.Origin: {keyID: signature}}
	message, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("the request of %s: %w", s.Origin, err)
	}
	key, err := k.valid(ctx, s.Origin, keyID, k.now().UnixMilli())
	if err != nil {
		return err
	}
	if err := gomatrixserverlib.VerifyJSON(s.Origin, gomatrixserverlib.KeyID(keyID), key, message); err != nil {
		return fmt.Errorf("the signature of %s on its request: %w", s.Origin, err)
	}
	return nil
}

// checkJSON returns an error if a body has a duplicate key, or is not one JSON value in UTF-8: then servers could
// disagree about what was signed. Numbers that canonical JSON does not allow are accepted; events are checked later.
func checkJSON(body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if !utf8.Valid(body) || !json.Valid(body) { // json.Valid also limits nesting
		return ErrNotJSON
	}
	if err := checkKeys(json.NewDecoder(bytes.NewReader(body))); err != nil {
		return fmt.Errorf("%w: %w", ErrNotJSON, err)
	}
	return nil
}

// checkKeys reads one value and returns an error if it has a duplicate key.
func checkKeys(decoder *json.Decoder) error {
	decoder.UseNumber() // otherwise a number too large for a float64 is an error
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	delimiter, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	seen := map[json.Token]bool{}
	for decoder.More() {
		if delimiter == '{' {
			key, err := decoder.Token()
			if err != nil {
				return err
			}
			if seen[key] {
				return fmt.Errorf("the key %q stands twice", key)
			}
			seen[key] = true
		}
		if err := checkKeys(decoder); err != nil {
			return err
		}
	}
	_, err = decoder.Token() // the closing delimiter
	return err
}
