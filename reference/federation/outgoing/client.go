// Package outgoing is the client side of the server-server API: typed calls to other servers, and queues of what to
// send to them.
package outgoing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/reference/federation/transport"
	"msc4014/reference/store"
)

// maximumAnswer is the maximum size of a response, in bytes. The state of a large room is the largest.
const maximumAnswer = 64 << 20

// callTimeout limits a call, during which the other server may make requests of its own.
const callTimeout = 30 * time.Second

// Signer signs requests: it returns the value of the Authorization header. The keyring implements it.
type Signer interface {
	SignRequest(method, destination, uri string, body []byte) (authorization string, err error)
}

// Config has the dependencies of a Client.
type Config struct {
	ServerName string
	Transport  *transport.Transport
	Signer     Signer
	Store      *store.Store
	Log        *slog.Logger // nil means none
}

// Client makes calls and sends events and EDUs to other servers. It is safe for concurrent use.
type Client struct {
	Config
	queues
}

// New returns a client, and starts to send what is still queued in the store.
func New(config Config) (*Client, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{Config: config}
	if err := c.loadQueues(); err != nil {
		return nil, fmt.Errorf("the queues of %s: %w", config.ServerName, err)
	}
	return c, nil
}

// Refusal is the error of a call that got a response with an error status. Any other error means that there was no
// usable response. Other packages can match its methods with errors.As instead of importing this one.
type Refusal struct {
	Server, Call string
	Status       int
	Code         string // errcode, or ""
	Message      string // error
	Body         []byte
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s refused %s: %d %s %s", r.Server, r.Call, r.Status, r.Code, r.Message)
}

// call sends a signed request and returns the body of the response, which is a JSON value. in is marshalled unless it
// is nil or []byte, which is sent as it is.
func (c *Client) call(ctx context.Context, server, method, uri string, in any) (json.RawMessage, error) {
	body, err := bodyOf(in)
	if err != nil {
		return nil, fmt.Errorf("%s %s on %s: %w", method, uri, server, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.do(ctx, server, method, uri, body)
	var refusal *Refusal
	if err == nil || errors.As(err, &refusal) {
		c.Heard(server)
	}
	return answer, err
}

func bodyOf(in any) ([]byte, error) {
	switch body := in.(type) {
	case nil:
		return nil, nil
	case []byte:
		return body, nil
	default:
		return marshal(in)
	}
}

// marshal is like json.Marshal, but leaves events as they were written.
func marshal(value any) ([]byte, error) {
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(written.Bytes(), []byte("\n")), err
}

// do is call without recording that the server was heard from.
func (c *Client) do(ctx context.Context, server, method, uri string, body []byte) (json.RawMessage, error) {
	authorization, err := c.Signer.SignRequest(method, server, uri, body)
	if err != nil {
		return nil, err
	}
	answer, err := c.Transport.Ask(ctx, transport.Request{
		Server: server, Method: method, URI: uri, Authorization: authorization, Body: body, Limit: maximumAnswer,
	})
	if err != nil {
		return nil, err
	}
	if answer.Status/100 != 2 {
		return nil, &Refusal{
			Server: server, Call: method + " " + uri, Status: answer.Status, Body: answer.Body,
			Code: gjson.GetBytes(answer.Body, "errcode").String(), Message: gjson.GetBytes(answer.Body, "error").String(),
		}
	}
	if !json.Valid(answer.Body) {
		return nil, fmt.Errorf("%s %s on %s: the answer %d is not JSON", method, uri, server, answer.Status)
	}
	return answer.Body, nil
}

// get makes a GET call and parses the response into a T.
func get[T any](ctx context.Context, c *Client, server, uri string) (T, error) {
	return ask[T](ctx, c, server, http.MethodGet, uri, nil)
}

func ask[T any](ctx context.Context, c *Client, server, method, uri string, in any) (T, error) {
	var out T
	raw, err := c.call(ctx, server, method, uri, in)
	if err != nil {
		return out, err
	}
	return out, read(raw, &out, server, method+" "+uri)
}

func read(raw []byte, out any, server, call string) error {
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s on %s: the answer is not of the form that it should have: %w", call, server, err)
	}
	return nil
}
