// Exchanges as a HAR 1.2 file (http://www.softwareishard.com/blog/har-12-spec/), which developer tools of browsers open. Data that
// the format has no field for is in comments for people, and in fields that begin with "_" for programs.

package transcript

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Creator names the program that wrote a HAR file.
type Creator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type harLog struct {
	Version string     `json:"version"`
	Creator Creator    `json:"creator"`
	Pages   []harPage  `json:"pages"`
	Entries []harEntry `json:"entries"`
	Comment string     `json:"comment,omitempty"`
}

// harPage is a part of a check. Developer tools group the entries by their pages.
type harPage struct {
	Started string     `json:"startedDateTime"`
	ID      string     `json:"id"`
	Title   string     `json:"title"`
	Timings harNothing `json:"pageTimings"`
	Comment string     `json:"comment,omitempty"`
}

type harNothing struct{}

type harEntry struct {
	Page       string      `json:"pageref,omitempty"`
	Started    string      `json:"startedDateTime"`
	Time       float64     `json:"time"` // milliseconds, the sum of the timings
	Request    harRequest  `json:"request"`
	Response   harResponse `json:"response"`
	Cache      struct{}    `json:"cache"`
	Timings    harTimings  `json:"timings"`
	Comment    string      `json:"comment"`
	Direction  Direction   `json:"_direction"`
	Actor      string      `json:"_actor"`
	Server     string      `json:"_server,omitempty"`
	Unexpected bool        `json:"_unexpected,omitempty"`
	Error      string      `json:"_error,omitempty"`
	Notes      []string    `json:"_notes,omitempty"`
	Role       Role        `json:"_role,omitempty"`
	// Resource makes developer tools list the entry among the requests of scripts.
	Resource string `json:"_resourceType"`
}

type harRequest struct {
	Method      string       `json:"method"`
	URL         string       `json:"url"`
	HTTPVersion string       `json:"httpVersion"`
	Cookies     []harPair    `json:"cookies"`
	Headers     []harPair    `json:"headers"`
	QueryString []harPair    `json:"queryString"`
	PostData    *harPostData `json:"postData,omitempty"`
	HeadersSize int          `json:"headersSize"`
	BodySize    int          `json:"bodySize"`
}

type harResponse struct {
	Status      int        `json:"status"`
	StatusText  string     `json:"statusText"`
	HTTPVersion string     `json:"httpVersion"`
	Cookies     []harPair  `json:"cookies"`
	Headers     []harPair  `json:"headers"`
	Content     harContent `json:"content"`
	RedirectURL string     `json:"redirectURL"`
	HeadersSize int        `json:"headersSize"`
	BodySize    int        `json:"bodySize"`
	Error       string     `json:"_error,omitempty"` // where browsers write it
}

type harPostData struct {
	MimeType string `json:"mimeType"`
	Text     string `json:"text"`
	Encoding string `json:"_encoding,omitempty"` // the format has none for requests
}

type harContent struct {
	Size     int    `json:"size"`
	MimeType string `json:"mimeType"`
	Text     string `json:"text,omitempty"`
	Encoding string `json:"encoding,omitempty"`
}

// harTimings has the total duration as Wait: its parts were not measured.
type harTimings struct {
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
}

type harPair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// httpVersion is a placeholder: an Exchange does not record the protocol.
const httpVersion = "unknown"

// upToControl ends the title of the first of two pages.
const upToControl = ": up to the positive control"

// About says what a transcript is of.
type About struct {
	Check  string
	Result string // the verdict and its reason; "" if several checks rest on it
}

// WriteHAR writes exchanges as a HAR 1.2 file, in the order in which they started, with a comment about dropped ones
// (Recorder.Dropped). It removes access tokens, passwords and credentials of clients (WithoutSecrets). The exchanges up to the positive
// control are one page, and those after it another; comments begin with the role of the exchange.
func WriteHAR(w io.Writer, creator Creator, about About, exchanges []Exchange, dropped int) error {
	comment := about.Result
	if dropped > 0 {
		comment = strings.TrimPrefix(comment+"; ", "; ") + fmt.Sprintf("%d earlier exchanges were not kept: the transcript was full", dropped)
	}
	log := harLog{Version: "1.2", Creator: creator, Pages: []harPage{}, Entries: []harEntry{}, Comment: comment}
	ordered := slices.Clone(exchanges)
	slices.SortStableFunc(ordered, func(a, b Exchange) int { return a.Started.Compare(b.Started) })
	roles := Roles(ordered, Noted(ordered, NoteFailed))
	control := -1
	for i, role := range roles {
		if role == Control || role == ControlSeen {
			control = max(control, i)
		}
	}
	page := func(id, title string, from int) {
		if from < len(ordered) {
			log.Pages = append(log.Pages, harPage{Started: started(ordered[from]), ID: id, Title: title, Comment: about.Result})
		}
	}
	switch {
	case control < 0:
		page("1", about.Check, 0)
	default:
		page("1", about.Check+upToControl, 0)
		page("2", about.Check+": after the positive control", control+1)
	}
	for i, exchange := range ordered {
		made := entry(WithoutSecrets(exchange))
		made.Page = "1"
		if control >= 0 && i > control {
			made.Page = "2"
		}
		if made.Role = roles[i]; made.Role != "" {
			made.Comment = strings.ToUpper(string(made.Role)) + ": " + made.Comment
		}
		log.Entries = append(log.Entries, made)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(map[string]harLog{"log": log}); err != nil {
		return fmt.Errorf("write the transcript: %w", err)
	}
	return nil
}

func entry(e Exchange) harEntry {
	milliseconds := max(0, float64(e.Duration)/float64(time.Millisecond))
	target := absoluteURL(e)
	made := harEntry{
		Started: started(e),
		Time:    milliseconds,
		Request: harRequest{
			Method: e.Method, URL: target, HTTPVersion: httpVersion, Cookies: []harPair{},
			Headers: pairs(e.RequestHeader), QueryString: queryPairs(target),
			HeadersSize: -1, BodySize: len(e.RequestBody),
		},
		Response: harResponse{
			Status: e.Status, StatusText: http.StatusText(e.Status), HTTPVersion: httpVersion, Cookies: []harPair{},
			Headers: pairs(e.ResponseHeader), Content: content(e), RedirectURL: e.ResponseHeader.Get("Location"),
			HeadersSize: -1, BodySize: len(e.ResponseBody), Error: e.Error,
		},
		Timings:   harTimings{Wait: milliseconds},
		Comment:   comment(e),
		Direction: e.Direction, Actor: e.Actor, Server: e.Server,
		Unexpected: e.Unexpected, Error: e.Error, Notes: e.Notes, Resource: "fetch",
	}
	if len(e.RequestBody) > 0 {
		text, encoding := asText(e.RequestBody)
		made.Request.PostData = &harPostData{MimeType: mimeType(e.RequestHeader), Text: text, Encoding: encoding}
	}
	return made
}

func started(e Exchange) string { return e.Started.Format("2006-01-02T15:04:05.000Z07:00") }

// comment describes an exchange: client, server, problems.
func comment(e Exchange) string {
	server := cmp.Or(e.Server, "the candidate")
	var text string
	switch e.Direction {
	case ClientRequest:
		text = fmt.Sprintf("client %s asks %s", e.Actor, server)
	case PeerRequest:
		text = fmt.Sprintf("peer %s asks %s", e.Actor, server)
	case ServerRequest:
		text = fmt.Sprintf("%s asks peer %s", server, e.Actor)
	case ServiceRequest:
		text = fmt.Sprintf("%s asks application service %s", server, e.Actor)
	default:
		text = fmt.Sprintf("%s %s", e.Direction, e.Actor)
	}
	if e.Unexpected {
		text += "; a request that the peer was not prepared for"
	}
	for _, more := range append([]string{e.Error}, e.Notes...) {
		if more != "" {
			text += "; " + more
		}
	}
	return text
}

// absoluteURL completes a URL without a host, such as that of a request to a peer.
func absoluteURL(e Exchange) string {
	if !strings.HasPrefix(e.URL, "/") {
		return e.URL
	}
	host := e.Server
	if e.Direction == ServerRequest {
		host = e.Actor
	}
	return "https://" + cmp.Or(host, "unknown") + e.URL
}

func content(e Exchange) harContent {
	text, encoding := asText(e.ResponseBody)
	return harContent{Size: len(e.ResponseBody), MimeType: mimeType(e.ResponseHeader), Text: text, Encoding: encoding}
}

// asText returns a body as it is, or in base64 if it is not UTF-8.
func asText(body []byte) (text, encoding string) {
	if utf8.Valid(body) {
		return string(body), ""
	}
	return base64.StdEncoding.EncodeToString(body), "base64"
}

func mimeType(header http.Header) string {
	return cmp.Or(header.Get("Content-Type"), "application/octet-stream")
}

func queryPairs(target string) []harPair {
	parsed, err := url.Parse(target)
	if err != nil {
		return []harPair{}
	}
	return pairs(parsed.Query())
}

func pairs(values map[string][]string) []harPair {
	made := []harPair{}
	for name, all := range values {
		for _, value := range all {
			made = append(made, harPair{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(made, func(a, b harPair) int { return cmp.Compare(a.Name, b.Name) })
	return made
}
