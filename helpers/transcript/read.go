package transcript

// Reading exchanges back from a HAR file.

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxHAR bounds the HAR files that are read, in bytes. A Recorder keeps less.
const maxHAR = 64 << 20

// ReadHAR reads a HAR file that WriteHAR wrote, without headers. The result in About also has what WriteHAR said of dropped exchanges.
func ReadHAR(r io.Reader) (About, []Exchange, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxHAR+1))
	if err != nil {
		return About{}, nil, fmt.Errorf("read the transcript: %w", err)
	}
	if len(data) > maxHAR {
		return About{}, nil, fmt.Errorf("read the transcript: it is larger than %d MiB", maxHAR>>20)
	}
	var file struct {
		Log *harLog `json:"log"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return About{}, nil, fmt.Errorf("read the transcript: it is not a HAR file: %w", err)
	}
	if file.Log == nil {
		return About{}, nil, errors.New("read the transcript: it is not a HAR file: it has no log")
	}
	exchanges := make([]Exchange, 0, len(file.Log.Entries))
	for i, entry := range file.Log.Entries {
		exchange, err := entry.exchange()
		if err != nil {
			return About{}, nil, fmt.Errorf("read the transcript: entry %d: %w", i+1, err)
		}
		exchanges = append(exchanges, exchange)
	}
	about := About{Result: file.Log.Comment}
	if len(file.Log.Pages) > 0 {
		about.Check = strings.TrimSuffix(file.Log.Pages[0].Title, upToControl)
	}
	return about, exchanges, nil
}

// exchange is the reverse of entry.
func (e harEntry) exchange() (Exchange, error) {
	started, err := time.Parse(time.RFC3339Nano, e.Started)
	if err != nil {
		return Exchange{}, err
	}
	made := Exchange{
		Direction: e.Direction, Actor: e.Actor, Server: e.Server, Started: started, Duration: time.Duration(e.Time * float64(time.Millisecond)),
		Method: e.Request.Method, URL: e.Request.URL, Status: e.Response.Status, Error: e.Error, Unexpected: e.Unexpected, Notes: e.Notes,
	}
	if made.ResponseBody, err = bodyOf(e.Response.Content.Text, e.Response.Content.Encoding); err != nil {
		return Exchange{}, err
	}
	if post := e.Request.PostData; post != nil {
		made.RequestBody, err = bodyOf(post.Text, post.Encoding)
	}
	return made, err
}

// bodyOf is the reverse of asText.
func bodyOf(text, encoding string) ([]byte, error) {
	if encoding == "base64" {
		return base64.StdEncoding.DecodeString(text)
	}
	return []byte(text), nil
}
