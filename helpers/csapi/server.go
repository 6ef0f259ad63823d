// Package csapi is a client of the Matrix client-server API for checks: it asks one homeserver as one user, keeps
// every exchange in a transcript, and tells an answer of refusal (*Error) from no answer at all (*NoAnswerError).
// Nothing in it retries or sleeps; waiting is long polling under the caller's deadline.
package csapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/helpers/transcript"
)

// DefaultTimeout is how long a request may take where Server.Timeout is not set.
const DefaultTimeout = 10 * time.Second

// Server is a homeserver as clients reach it. It is a plain value: a copy with another Sink serves another check.
type Server struct {
	// Name is the server name, as in user IDs.
	Name string
	// BaseURL returns where the API is now, "http://127.0.0.1:32768"; it is asked before each request, since a restart
	// may change it.
	BaseURL func() string
	// Sink takes every exchange, without access tokens; may be nil.
	Sink transcript.Sink
	// Observer takes the same, for passive monitors; may be nil.
	Observer transcript.Sink
	// Timeout is how long one request may take (Sync: beyond its own timeout); 0 means DefaultTimeout.
	Timeout time.Duration
	// Limit makes the context that bounds a request, in another time than the wall's; nil means context.WithTimeout.
	Limit func(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc)
	// HTTP sends the requests; nil means a client that all servers share, with kept-alive connections.
	HTTP *http.Client
}

// Client is one logged-in device of one user. Its methods are safe for use by several goroutines.
type Client struct {
	Server   Server
	UserID   string
	DeviceID string

	token        func() string // a function, so that no printing of a Client shows the token
	transactions *transactions
}

// transactions makes transaction IDs that are unique for an access token.
type transactions struct {
	prefix string
	count  atomic.Int64
}

func (t *transactions) next() string { return fmt.Sprintf("%s-%d", t.prefix, t.count.Add(1)) }

// NewClient is the client of a device whose access token is already known.
func NewClient(server Server, userID, deviceID, accessToken string) *Client {
	prefix := make([]byte, 6)
	_, _ = rand.Read(prefix) // never fails, by its documentation
	return &Client{
		Server: server, UserID: userID, DeviceID: deviceID,
		token:        func() string { return accessToken },
		transactions: &transactions{prefix: hex.EncodeToString(prefix)},
	}
}

// String names the user, and the device.
func (c *Client) String() string { return c.UserID + " (" + c.DeviceID + ")" }

// Register makes an account by POST /register with m.login.dummy and logs its first device in. The caller sees to it
// that localpart is unused. CS API: Account registration.
func (s Server) Register(ctx context.Context, localpart, password string) (*Client, error) {
	body := map[string]any{
		"username": localpart, "password": password, "auth": map[string]any{"type": "m.login.dummy"},
	}
	response, err := s.do(ctx, localpart, "", http.MethodPost, V3("register"), nil, body, 0)
	if refusal, ok := refusedWith(err, http.StatusUnauthorized); ok {
		session := gjson.GetBytes(refusal.Body, "session").String()
		if session == "" {
			return nil, fmt.Errorf("register %q on %s with m.login.dummy: %w", localpart, s.Name, err)
		}
		body["auth"] = map[string]any{"type": "m.login.dummy", "session": session}
		response, err = s.do(ctx, localpart, "", http.MethodPost, V3("register"), nil, body, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("register %q on %s: %w", localpart, s.Name, err)
	}
	return s.loggedIn(response)
}

// Login logs a new device in by password. user is a localpart or a user ID. CS API: Login.
func (s Server) Login(ctx context.Context, user, password string) (*Client, error) {
	body := map[string]any{
		"type":       "m.login.password",
		"identifier": map[string]any{"type": "m.id.user", "user": user},
		"password":   password,
	}
	response, err := s.do(ctx, user, "", http.MethodPost, V3("login"), nil, body, 0)
	if err != nil {
		return nil, fmt.Errorf("log %q in on %s: %w", user, s.Name, err)
	}
	return s.loggedIn(response)
}

func (s Server) loggedIn(response *Response) (*Client, error) {
	userID, err := response.text("user_id")
	if err != nil {
		return nil, err
	}
	token, err := response.text("access_token")
	if err != nil {
		return nil, err
	}
	return NewClient(s, userID, response.Get("device_id").String(), token), nil
}

// Versions asks for the versions of the specification that the server speaks. CS API: API versions.
func (s Server) Versions(ctx context.Context) (*Response, error) {
	return s.Do(ctx, http.MethodGet, Path("_matrix", "client", "versions"), nil, nil)
}

// Do sends one request without an access token; see Client.Do.
func (s Server) Do(ctx context.Context, method, path string, query url.Values, body any) (*Response, error) {
	return s.do(ctx, "nobody", "", method, path, query, body, 0)
}

// CloseIdleConnections drops kept connections; after a server was stopped and started at the same address, a request
// on an old one would fail without having been answered.
func (s Server) CloseIdleConnections() { s.httpClient().CloseIdleConnections() }

// limited returns the context of a request that the server was asked to hold for so long.
func (s Server) limited(ctx context.Context, hold time.Duration) (context.Context, context.CancelFunc) {
	limit := s.Timeout
	if limit <= 0 {
		limit = DefaultTimeout
	}
	limit += hold
	if s.Limit != nil {
		return s.Limit(ctx, limit)
	}
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("a time-out of %s: %w", limit, context.DeadlineExceeded))
}
