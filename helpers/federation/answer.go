package federation

// Answers that a peer gives or gets: plain values, so that a hook can alter them.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// Answer is an HTTP response that a peer gives or gets.
type Answer struct {
	Status int
	Header http.Header // may be nil; application/json is the default content type
	Body   []byte
	// None closes the connection without an answer.
	None bool
	// Unexpected marks the request as one that the peer was not prepared for (Peer.Unexpected).
	Unexpected bool
	// Unread says why a body that the peer got exceeds the bounds of helpers/foreign; Body is empty then.
	Unread error
}

// JSON returns an answer whose body is value, marshalled. If that fails, the answer is a refusal.
func JSON(status int, value any) Answer {
	body, err := marshal(value)
	if err != nil {
		return Refusal(http.StatusInternalServerError, "M_UNKNOWN", "the peer could not encode its answer: "+err.Error())
	}
	return Answer{Status: status, Body: body}
}

// Refusal returns an answer with a Matrix error.
func Refusal(status int, errcode, text string) Answer {
	return JSON(status, map[string]string{"errcode": errcode, "error": text})
}

// Refused returns the answer that closes the connection.
func Refused() Answer { return Answer{None: true} }

// garbage returns 200 with a body that is not JSON.
func garbage() Answer {
	return Answer{Status: http.StatusOK, Body: []byte("<html>\x00 this is not JSON {{{")}
}

// Set returns the answer with the field at an sjson path replaced.
func (a Answer) Set(path string, value any) Answer {
	raw, err := marshal(value)
	if err != nil {
		return Refusal(http.StatusInternalServerError, "M_UNKNOWN", "the hook's value for "+path+" cannot be encoded: "+err.Error())
	}
	return a.SetRaw(path, raw)
}

// SetRaw is Set with raw bytes, which need not be JSON.
func (a Answer) SetRaw(path string, raw []byte) Answer {
	return a.edit(path, func(body []byte) ([]byte, error) { return sjson.SetRawBytes(body, path, raw) })
}

// Delete returns the answer without the field at an sjson path.
func (a Answer) Delete(path string) Answer {
	return a.edit(path, func(body []byte) ([]byte, error) { return sjson.DeleteBytes(body, path) })
}

func (a Answer) edit(path string, change func([]byte) ([]byte, error)) Answer {
	body, err := change(bytes.Clone(a.Body))
	if err != nil {
		return Refusal(http.StatusInternalServerError, "M_UNKNOWN", "the hook could not change "+path+": "+err.Error())
	}
	a.Body = body
	return a
}

// OK reports whether the status is 200.
func (a Answer) OK() bool { return a.Status == http.StatusOK }

// Get returns the field of the body at a gjson path.
func (a Answer) Get(path string) gjson.Result {
	if !gjson.ValidBytes(a.Body) {
		return gjson.Result{}
	}
	return gjson.GetBytes(a.Body, path)
}

// ErrCode returns the Matrix error code of a refusal, or "".
func (a Answer) ErrCode() string { return a.Get("errcode").String() }

// String returns the status and the beginning of the body in one line.
func (a Answer) String() string {
	if a.None {
		return "no answer"
	}
	if a.Unread != nil {
		return fmt.Sprintf("%d: %v", a.Status, a.Unread)
	}
	return fmt.Sprintf("%d %s", a.Status, shorten(string(a.Body)))
}

// shorten bounds a quotation of a text from another server.
func shorten(text string) string {
	const longest = 300
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}

// marshal encodes JSON without escaping <, > and &.
func marshal(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buffer.Bytes(), "\n"), nil
}

// object encodes a JSON object of fields that are JSON already. Unlike encoding/json it keeps their bytes: events must be sent
// exactly as a check built them.
func object(fields ...field) []byte {
	var buffer bytes.Buffer
	buffer.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			buffer.WriteByte(',')
		}
		fmt.Fprintf(&buffer, "%q:", f.name)
		buffer.Write(f.raw)
	}
	buffer.WriteByte('}')
	return buffer.Bytes()
}

type field struct {
	name string
	raw  []byte
}

// text returns a field with a JSON string, number or other small value.
func text(name string, value any) field {
	raw, err := marshal(value)
	if err != nil {
		raw = []byte("null")
	}
	return field{name, raw}
}

// events returns a field with an array of events, byte for byte.
func events(name string, list []Event) field {
	var buffer bytes.Buffer
	buffer.WriteByte('[')
	for i, event := range list {
		if i > 0 {
			buffer.WriteByte(',')
		}
		buffer.Write(event.json)
	}
	buffer.WriteByte(']')
	return field{name, buffer.Bytes()}
}
