// Package csapi is a client of the Matrix client-server API for checks. It records every exchange in a transcript, and
// distinguishes refusals (*Error) from requests without an answer (*NoAnswerError). It does not retry requests; waiting is long
// polling until the caller's deadline.
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

// DefaultTimeout bounds a request if Server.Timeout is not set.
const DefaultTimeout = 10 * time.Second

// Server is a homeserver as its clients see it. It is a plain value: a copy with another Sink is for another check.
type Server struct {
	// Name is the server name, as in user IDs.
	Name string
	// BaseURL returns the current base URL, "http://127.0.0.1:32768". It is called for each request, since a restart may
	// change the address.
	BaseURL func() string
	// Sink receives every exchange, without secrets; may be nil.
	Sink transcript.Sink
	// Timeout bounds one request (in Sync, in addition to its own timeout); 0 means DefaultTimeout.
	Timeout time.Duration
	// Limit returns the context that bounds a request, if not in wall time. nil means context.WithTimeout, or no bound of its own if the
	// caller's context has one, which may be in another time.
	Limit func(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc)
	// HTTP sends the requests; nil means a shared client.
	HTTP *http.Client
}

// Client is a logged-in device of a user. Its methods are safe for concurrent use.
type Client struct {
	Server   Server
	UserID   string
	DeviceID string

	token        func() string // a function, so that printing a Client does not show the token
	transactions *transactions
	progress     *progress
}

// transactions generates transaction IDs that are unique for an access token.
type transactions struct {
	prefix string
	count  atomic.Int64
}

func (t *transactions) next() string { return fmt.Sprintf("%s-%d", t.prefix, t.count.Add(1)) }

// NewClient returns the client of a device with an access token.
func NewClient(server Server, userID, deviceID, accessToken string) *Client {
	prefix := make([]byte, 6)
	_, _ = rand.Read(prefix) // never fails
	return &Client{
		Server: server, UserID: userID, DeviceID: deviceID,
		token:        func() string { return accessToken },
		transactions: &transactions{prefix: hex.EncodeToString(prefix)},
		progress:     &progress{rooms: map[string]synced{}},
	}
}

// String returns the user ID and the device ID.
func (c *Client) String() string { return c.UserID + " (" + c.DeviceID + ")" }

// Register registers an account with m.login.dummy and returns its first device. The caller ensures that localpart is unused.
// CS API: Account registration.
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

// Login logs in a new device by password. user is a localpart or a user ID. CS API: Login.
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

// Versions returns the versions of the specification that the server supports. CS API: API versions.
func (s Server) Versions(ctx context.Context) (*Response, error) {
	return s.Do(ctx, http.MethodGet, Path("_matrix", "client", "versions"), nil, nil)
}

// Do sends one request without an access token; see Client.Do.
func (s Server) Do(ctx context.Context, method, path string, query url.Values, body any) (*Response, error) {
	return s.do(ctx, "nobody", "", method, path, query, body, 0)
}

// CloseIdleConnections closes idle connections. It must be called after a restart of the server: a request on an old connection
// would fail.
func (s Server) CloseIdleConnections() { s.httpClient().CloseIdleConnections() }

// limited returns the context of a request that the server was asked to hold for hold.
func (s Server) limited(ctx context.Context, hold time.Duration) (context.Context, context.CancelFunc) {
	limit := s.Timeout
	if limit <= 0 {
		limit = DefaultTimeout
	}
	limit += hold
	if s.Limit != nil {
		return s.Limit(ctx, limit)
	}
	if _, bounded := ctx.Deadline(); bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, fmt.Errorf("a time-out of %s: %w", limit, context.DeadlineExceeded))
}
