// One request and its answer: paths, bodies, time-outs, errors, and what goes into the transcript.

package csapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/helpers/foreign"
	"msc4014/helpers/transcript"
)

// longestText bounds the quotations from answers in errors, in bytes.
const longestText = 300

// Response is a 2xx answer.
type Response struct {
	Method string
	URL    string
	Status int
	Header http.Header
	Body   []byte
	Took   time.Duration
}

// Get returns the value at a gjson path of the body; see match.Path for keys that contain dots.
func (r *Response) Get(path string) gjson.Result { return gjson.GetBytes(r.Body, path) }

// JSON returns the whole body.
func (r *Response) JSON() gjson.Result { return gjson.ParseBytes(r.Body) }

// text returns the string at path. It returns an *Error if there is none, or an empty one.
func (r *Response) text(path string) (string, error) {
	value := r.Get(path)
	if !gjson.ValidBytes(r.Body) || value.Type != gjson.String || value.Str == "" {
		return "", r.wrong(fmt.Sprintf("the answer has no string at %q", path))
	}
	return value.Str, nil
}

// wrong returns an *Error that says what is wrong with the answer.
func (r *Response) wrong(what string) error {
	return &Error{Method: r.Method, URL: r.URL, Status: r.Status, Message: what, Body: r.Body, Waited: r.Took}
}

// Error is a refusal (any status but 2xx), an answer without a required field, or one whose body exceeds the bounds of
// helpers/foreign; Body is only its beginning then.
type Error struct {
	Method  string
	URL     string
	Status  int
	ErrCode string // "M_FORBIDDEN"; empty if the body has none
	Message string // the body's "error", or what is wrong with the answer
	Body    []byte
	Waited  time.Duration
}

// Took returns how long the server took to answer.
func (e *Error) Took() time.Duration { return e.Waited }

// Error gives the method, the path (without the address, which differs between runs), the status, the error code and the
// message.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s answered %d", e.Method, pathOf(e.URL), e.Status)
	if e.ErrCode != "" {
		text += " " + e.ErrCode
	}
	if e.Message != "" {
		return text + ": " + e.Message
	}
	if len(e.Body) == 0 {
		return text + " with an empty body"
	}
	return text + ": " + shorten(string(e.Body), longestText)
}

// NoAnswerError says that a request got no complete answer. After a time-out it wraps context.DeadlineExceeded, whether the
// deadline was the caller's or the request's own.
type NoAnswerError struct {
	Method string
	URL    string
	Waited time.Duration
	Err    error
}

// Error gives the method, the path, the time waited and the cause.
func (e *NoAnswerError) Error() string {
	return fmt.Sprintf("%s %s: no answer within %s: %v", e.Method, pathOf(e.URL), e.Waited.Round(time.Millisecond), e.Err)
}

// pathOf returns the unescaped path of a URL, or address itself if it does not parse.
func pathOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Path == "" {
		return address
	}
	return parsed.Path
}

// Unwrap returns the cause.
func (e *NoAnswerError) Unwrap() error { return e.Err }

// Refused returns the *Error in err's tree, if there is one.
func Refused(err error) (*Error, bool) {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal, true
	}
	return nil, false
}

// Denied reports whether err wraps an answer by which the server will not do what was asked: a 4xx, but not 429, which says to ask later.
func Denied(err error) bool {
	answer, ok := Refused(err)
	return ok && answer.Status/100 == 4 && answer.Status != http.StatusTooManyRequests
}

// NoAnswer reports whether err wraps a *NoAnswerError.
func NoAnswer(err error) bool {
	var none *NoAnswerError
	return errors.As(err, &none)
}

// Unusable reports whether err wraps a 2xx answer that lacks a required field or is out of bounds.
func Unusable(err error) bool {
	answer, ok := Refused(err)
	return ok && answer.Status/100 == 2
}

func refusedWith(err error, status int) (*Error, bool) {
	refusal, ok := Refused(err)
	return refusal, ok && refusal.Status == status
}

// Path escapes segments and joins them to a path: Path("a", "b/c") is "/a/b%2Fc".
func Path(segments ...string) string {
	var path strings.Builder
	for _, segment := range segments {
		path.WriteString("/" + url.PathEscape(segment))
	}
	return path.String()
}

// V3 returns a path below /_matrix/client/v3.
func V3(segments ...string) string { return "/_matrix/client/v3" + Path(segments...) }

// Do sends one request with the device's access token. path begins with a slash and is escaped (Path, V3). body is nil, or
// []byte or json.RawMessage that are sent as they are, or a value to marshal. A status other than 2xx is an *Error, no complete
// answer a *NoAnswerError.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body any) (*Response, error) {
	return c.Server.do(ctx, c.UserID, c.token(), method, path, query, body, 0)
}

func (c *Client) get(ctx context.Context, path string, query url.Values) (*Response, error) {
	return c.Do(ctx, http.MethodGet, path, query, nil)
}

func (c *Client) post(ctx context.Context, path string, body any) (*Response, error) {
	return c.Do(ctx, http.MethodPost, path, nil, body)
}

func (c *Client) put(ctx context.Context, path string, body any) (*Response, error) {
	return c.Do(ctx, http.MethodPut, path, nil, body)
}

// do sends one request for actor; hold is how long the server was asked to hold the request.
func (s Server) do(ctx context.Context, actor, token, method, path string, query url.Values, body any, hold time.Duration) (*Response, error) {
	if s.BaseURL == nil {
		return nil, fmt.Errorf("%s %s: server %q has no base URL", method, path, s.Name)
	}
	target := strings.TrimSuffix(s.BaseURL(), "/") + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	encoded, err := encode(method, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: body: %w", method, target, err)
	}
	requestContext, cancel := s.limited(ctx, hold)
	defer cancel()
	request, err := http.NewRequestWithContext(requestContext, method, target, bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, target, err)
	}
	if encoded != nil {
		request.Header.Set("Content-Type", "application/json")
	} else {
		request.Body, request.GetBody = http.NoBody, nil
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}

	exchange := transcript.Exchange{
		Direction: transcript.ClientRequest, Actor: actor, Server: s.Name, Started: time.Now(),
		Method: method, URL: target, RequestHeader: request.Header, RequestBody: encoded,
	}
	response, err := s.send(request)
	exchange.Duration = time.Since(exchange.Started)
	if err != nil {
		if _, answered := Refused(err); !answered {
			err = &NoAnswerError{Method: method, URL: target, Waited: exchange.Duration, Err: why(requestContext, err)}
		}
		exchange.Error = err.Error()
		if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
			exchange.Error = "given up by the client: " + exchange.Error
		}
	}
	if response != nil {
		response.Took = exchange.Duration
		exchange.Status, exchange.ResponseHeader, exchange.ResponseBody = response.Status, response.Header, response.Body
	}
	s.record(exchange)
	if err != nil {
		return nil, err
	}
	if response.Status < 200 || response.Status > 299 {
		return nil, refusal(response)
	}
	return response, nil
}

// send returns the answer. With an error, the response is the part that arrived, or nil; an *Error says that the body is out of
// bounds.
func (s Server) send(request *http.Request) (*Response, error) {
	answer, err := s.httpClient().Do(request)
	if err != nil {
		var inURL *url.Error
		if errors.As(err, &inURL) {
			err = inURL.Err // NoAnswerError has the method and the URL
		}
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := foreign.Read(answer.Body)
	response := &Response{
		Method: request.Method, URL: request.URL.String(), Status: answer.StatusCode, Header: answer.Header, Body: body,
	}
	var outOfBounds *foreign.Error
	switch {
	case errors.As(err, &outOfBounds):
		return response, response.wrong(err.Error())
	case err != nil:
		return response, fmt.Errorf("the answer (status %d) broke off after %d bytes: %w", answer.StatusCode, len(body), err)
	}
	return response, nil
}

// why returns the cause of the context if it has ended, and the transport's error otherwise.
func why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func refusal(response *Response) *Error {
	refusal := &Error{Method: response.Method, URL: response.URL, Status: response.Status, Body: response.Body, Waited: response.Took}
	if gjson.ValidBytes(response.Body) {
		refusal.ErrCode = shorten(response.Get("errcode").String(), longestText)
		refusal.Message = shorten(response.Get("error").String(), longestText)
	}
	return refusal
}

// encode marshals a body; nil means no body. For POST and PUT that is an empty object, which some servers require.
func encode(method string, body any) ([]byte, error) {
	switch body := body.(type) {
	case nil:
		if method == http.MethodPost || method == http.MethodPut {
			return []byte("{}"), nil
		}
		return nil, nil
	case []byte:
		return body, nil
	case json.RawMessage:
		return body, nil
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buffer.Bytes(), "\n"), nil
}

func (s Server) record(exchange transcript.Exchange) {
	if s.Sink != nil {
		s.Sink.Record(transcript.WithoutSecrets(exchange))
	}
}

func (s Server) httpClient() *http.Client {
	if s.HTTP != nil {
		return s.HTTP
	}
	return sharedHTTPClient()
}

var sharedHTTPClient = sync.OnceValue(NewHTTPClient)

// NewHTTPClient returns an HTTP client for checks. It keeps connections alive, ignores proxies in the environment and does not
// follow redirects, because a redirect is an answer too.
func NewHTTPClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			MaxIdleConns:        256,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + fmt.Sprintf("... (%d bytes)", len(text))
}
