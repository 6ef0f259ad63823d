// Removing access tokens and passwords of clients from exchanges.

package transcript

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// Removed replaces a secret.
const Removed = "[removed]"

// secretMembers are the members of JSON bodies of the client-server API whose values are secrets.
var secretMembers = []string{
	"access_token", "refresh_token", "login_token", "password", "new_password", "auth.password", "client_secret",
}

// WithoutSecrets returns a copy of e without access tokens and passwords of clients, and tokens of servers for application services, in
// the URL, the headers and the bodies. The Authorization of a federation request is kept: it is a signature, not a secret.
func WithoutSecrets(e Exchange) Exchange {
	if e.Direction != ClientRequest && e.Direction != ServiceRequest {
		return e
	}
	var tokens []string
	if bearer, ok := strings.CutPrefix(e.RequestHeader.Get("Authorization"), "Bearer "); ok {
		tokens = append(tokens, strings.TrimSpace(bearer))
	}
	e.RequestHeader = withoutCredentials(e.RequestHeader)
	e.ResponseHeader = withoutCredentials(e.ResponseHeader)
	var fromURL []string
	e.URL, fromURL = urlWithoutToken(e.URL)
	tokens = append(tokens, fromURL...)
	e.RequestBody, tokens = bodyWithoutSecrets(e.RequestBody, tokens)
	e.ResponseBody, tokens = bodyWithoutSecrets(e.ResponseBody, tokens)
	for _, token := range tokens {
		if len(token) < 8 { // too short to be distinguished from ordinary text
			continue
		}
		e.RequestBody = bytes.ReplaceAll(e.RequestBody, []byte(token), []byte(Removed))
		e.ResponseBody = bytes.ReplaceAll(e.ResponseBody, []byte(token), []byte(Removed))
		e.URL = strings.ReplaceAll(e.URL, token, url.QueryEscape(Removed))
		e.Error = strings.ReplaceAll(e.Error, token, Removed)
	}
	return e
}

func withoutCredentials(header http.Header) http.Header {
	if header == nil {
		return nil
	}
	header = header.Clone()
	for _, name := range []string{"Authorization", "Cookie", "Set-Cookie"} {
		header.Del(name)
	}
	return header
}

func urlWithoutToken(raw string) (string, []string) {
	parsed, err := url.Parse(raw)
	if err != nil {
		return raw, nil
	}
	query := parsed.Query()
	var tokens []string
	for _, name := range []string{"access_token", "loginToken"} {
		if query.Has(name) {
			tokens = append(tokens, query[name]...)
			query.Set(name, Removed)
		}
	}
	if tokens == nil {
		return raw, nil // unchanged, with its own escaping
	}
	parsed.RawQuery = query.Encode()
	return parsed.String(), tokens
}

// bodyWithoutSecrets replaces the values of the secret members, and appends the tokens among them to tokens, since they may occur
// elsewhere, too.
func bodyWithoutSecrets(body []byte, tokens []string) ([]byte, []string) {
	for _, member := range secretMembers {
		if !bytes.Contains(body, []byte(member[strings.LastIndexByte(member, '.')+1:])) {
			continue // do not parse most bodies
		}
		value := gjson.GetBytes(body, member)
		if value.Type != gjson.String || value.Str == "" || value.Str == Removed {
			continue
		}
		cleaned, err := sjson.SetBytes(body, member, Removed)
		if err != nil {
			continue // not a JSON object: gjson was lenient
		}
		body = cleaned
		if strings.HasSuffix(member, "_token") {
			tokens = append(tokens, value.Str)
		}
	}
	return body, tokens
}
