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

// longestText bounds what errors quote of an answer, in bytes.
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

// Get returns what stands at a gjson path of the body; see match.Path for keys that contain dots.
func (r *Response) Get(path string) gjson.Result { return gjson.GetBytes(r.Body, path) }

// JSON returns the whole body.
func (r *Response) JSON() gjson.Result { return gjson.ParseBytes(r.Body) }

// text returns the string at path, or an *Error that says that the answer has none.
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

// Error is an answer that refuses (any status but 2xx), one that lacks what it must have, or one whose body is out of
// the bounds of helpers/foreign: Body is its beginning then.
type Error struct {
	Method  string
	URL     string
	Status  int
	ErrCode string // M_FORBIDDEN; empty where the body has none
	Message string // the body's "error", or what is wrong with the answer
	Body    []byte
	Waited  time.Duration
}

// Took is how long the server took to answer: by a time-out of its own, if it was long.
func (e *Error) Took() time.Duration { return e.Waited }

// Error tells the request (the path alone: where a server listens is nobody's concern), the status, the error code and
// the message.
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

// NoAnswerError says that a request got no complete answer; it wraps why. A time-out is context.DeadlineExceeded by
// errors.Is, whether the deadline was the caller's or the request's own.
type NoAnswerError struct {
	Method string
	URL    string
	Waited time.Duration
	Err    error
}

// Error tells the request, how long it was waited for, and why no answer came.
func (e *NoAnswerError) Error() string {
	return fmt.Sprintf("%s %s: no answer within %s: %v", e.Method, pathOf(e.URL), e.Waited.Round(time.Millisecond), e.Err)
}

// pathOf is a URL's path, unescaped; what does not parse stays as it is.
func pathOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Path == "" {
		return address
	}
	return parsed.Path
}

// Unwrap returns why no answer came.
func (e *NoAnswerError) Unwrap() error { return e.Err }

// Refused returns the answer of refusal that err holds, if it holds one.
func Refused(err error) (*Error, bool) {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal, true
	}
	return nil, false
}

// NoAnswer tells whether err says that no answer came.
func NoAnswer(err error) bool {
	var none *NoAnswerError
	return errors.As(err, &none)
}

// Unusable reports whether err holds an answer of success that lacks what it must have or is out of bounds.
func Unusable(err error) bool {
	answer, ok := Refused(err)
	return ok && answer.Status/100 == 2
}

func refusedWith(err error, status int) (*Error, bool) {
	refusal, ok := Refused(err)
	return refusal, ok && refusal.Status == status
}

// Path joins segments to a path, each one escaped: Path("a", "b/c") is "/a/b%2Fc".
func Path(segments ...string) string {
	var path strings.Builder
	for _, segment := range segments {
		path.WriteString("/" + url.PathEscape(segment))
	}
	return path.String()
}

// V3 is Path below /_matrix/client/v3.
func V3(segments ...string) string { return "/_matrix/client/v3" + Path(segments...) }

// Do sends one request with the device's access token. path begins with a slash and is escaped (Path, V3); body is
// nil, bytes or a json.RawMessage that are sent as they are, or a value that is marshalled. A status other than 2xx
// is an *Error, no complete answer a *NoAnswerError.
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

// do sends one request for actor; hold is the time that the server was asked to hold the request for.
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

// send returns the answer, or, with an error, what came of it. An *Error says that its body is out of bounds.
func (s Server) send(request *http.Request) (*Response, error) {
	answer, err := s.httpClient().Do(request)
	if err != nil {
		var inURL *url.Error
		if errors.As(err, &inURL) {
			err = inURL.Err // method and URL stand in the NoAnswerError
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

// why prefers the reason for which the context ended to what the transport made of it.
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

// encode makes the body's bytes; nil means no body. POST and PUT without a body send an empty object, which some
// servers insist on.
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
	if s.Sink == nil && s.Observer == nil {
		return
	}
	exchange = transcript.WithoutSecrets(exchange)
	for _, sink := range []transcript.Sink{s.Sink, s.Observer} {
		if sink != nil {
			sink.Record(exchange)
		}
	}
}

func (s Server) httpClient() *http.Client {
	if s.HTTP != nil {
		return s.HTTP
	}
	return sharedHTTPClient()
}

var sharedHTTPClient = sync.OnceValue(NewHTTPClient)

// NewHTTPClient is an HTTP client for checks: kept-alive connections, no proxy from the environment, and no redirect
// is followed, since a redirect is an answer too.
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
