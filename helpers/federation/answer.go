package federation

// Answers: what a peer writes back, and what it gets back. Both are plain values, so that a hook can alter them.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// Answer is an HTTP answer: one that a peer gives, or one that it got.
type Answer struct {
	Status int
	Header http.Header // may be nil; application/json is the default content type
	Body   []byte
	// None: the connection is closed without an answer.
	None bool
	// Unexpected: the peer was not prepared for the request; it is kept and shown (Peer.Unexpected).
	Unexpected bool
	// Unread says why the body that a peer got is out of the bounds of helpers/foreign; Body is empty then.
	Unread error
}

// JSON makes an answer from a value that encoding/json can write.
func JSON(status int, value any) Answer {
	body, err := marshal(value)
	if err != nil {
		return Refusal(http.StatusInternalServerError, "M_UNKNOWN", "the peer could not write its answer: "+err.Error())
	}
	return Answer{Status: status, Body: body}
}

// Refusal makes an answer with a Matrix error.
func Refusal(status int, errcode, text string) Answer {
	return JSON(status, map[string]string{"errcode": errcode, "error": text})
}

// Refused closes the connection without an answer.
func Refused() Answer { return Answer{None: true} }

// Garbage answers 200 with something that is not JSON.
func Garbage() Answer {
	return Answer{Status: http.StatusOK, Body: []byte("<html>\x00 this is not JSON {{{")}
}

// Set returns the answer with the field at an sjson path replaced.
func (a Answer) Set(path string, value any) Answer {
	raw, err := marshal(value)
	if err != nil {
		return Refusal(http.StatusInternalServerError, "M_UNKNOWN", "the hook's value for "+path+" is no JSON: "+err.Error())
	}
	return a.SetRaw(path, raw)
}

// SetRaw is Set with a value that stands as it is given, byte for byte: it may be no JSON.
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

// ErrCode returns the Matrix error code of a refusal, "" if there is none.
func (a Answer) ErrCode() string { return a.Get("errcode").String() }

// String tells the status and the beginning of the body in one line.
func (a Answer) String() string {
	if a.None {
		return "no answer"
	}
	if a.Unread != nil {
		return fmt.Sprintf("%d: %v", a.Status, a.Unread)
	}
	return fmt.Sprintf("%d %s", a.Status, shorten(string(a.Body)))
}

// shorten bounds what is quoted of a text that another server wrote.
func shorten(text string) string {
	const longest = 300
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}

// marshal writes JSON without the escaping of <, > and & that encoding/json does for HTML.
func marshal(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buffer.Bytes(), "\n"), nil
}

// object writes a JSON object from fields that are JSON already, byte for byte: events must reach the other side as a
// check made them, even those that encoding/json would write otherwise.
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

// text makes a field with a JSON string, number or other small value.
func text(name string, value any) field {
	raw, err := marshal(value)
	if err != nil {
		raw = []byte("null")
	}
	return field{name, raw}
}

// events makes a field with an array of events, byte for byte.
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
