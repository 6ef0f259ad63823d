package federation

// Transactions: PUT /_matrix/federation/v1/send/{txnId}, sent and received.

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
)

// TransactionAnswer is the answer to a transaction.
type TransactionAnswer struct {
	Answer
	// PDUErrors are the errors that the server returned, by event ID. Their absence proves nothing.
	PDUErrors map[string]string
}

// SendTransaction sends events and EDUs (JSON objects) to a server, byte for byte. The answer may be a refusal of the transaction or
// of single events; it is an error if there is none.
func (p *Peer) SendTransaction(ctx context.Context, server string, pdus []Event, edus []json.RawMessage) (*TransactionAnswer, error) {
	now := time.Now().UnixMilli()
	fields := []field{text("origin", p.name), text("origin_server_ts", now), events("pdus", pdus)}
	if len(edus) > 0 {
		raw := make([]string, len(edus))
		for i, edu := range edus {
			raw[i] = string(edu)
		}
		fields = append(fields, field{"edus", []byte("[" + strings.Join(raw, ",") + "]")})
	}
	uri := fmt.Sprintf("/_matrix/federation/v1/send/%d-%d", now, p.next())
	answer, err := p.Do(ctx, server, http.MethodPut, uri, object(fields...))
	if err != nil {
		return nil, err
	}
	result := &TransactionAnswer{Answer: answer, PDUErrors: map[string]string{}}
	answer.Get("pdus").ForEach(func(id, outcome gjson.Result) bool {
		if text := outcome.Get("error"); text.Exists() {
			result.PDUErrors[id.String()] = text.String()
		}
		return true
	})
	return result, nil
}

// Send applies an event to the peer's model and sends it to every other server with a joined member before or after it. It returns
// an error for each server that does not accept it.
func (r *Room) Send(ctx context.Context, event Event) error {
	servers := r.joinedServers()
	r.Apply(event)
	for _, server := range r.joinedServers() {
		if !slices.Contains(servers, server) {
			servers = append(servers, server)
		}
	}
	return r.sendTo(ctx, servers, event)
}

// sendTo sends to all servers at once: one that hangs must not delay the others.
func (r *Room) sendTo(ctx context.Context, servers []string, event Event) error {
	failures := make([]error, len(servers))
	var all sync.WaitGroup
	for i, server := range servers {
		if server == r.peer.name {
			continue
		}
		all.Go(func() { failures[i] = r.peer.sendEvent(ctx, server, event) })
	}
	all.Wait()
	return errors.Join(failures...)
}

func (p *Peer) sendEvent(ctx context.Context, server string, event Event) error {
	answer, err := p.SendTransaction(ctx, server, []Event{event}, nil)
	switch {
	case err != nil:
		return err
	case !answer.OK():
		return fmt.Errorf("%s refused the transaction of %s with %s: %s", server, p.name, event, answer.Answer)
	case answer.PDUErrors[event.ID()] != "":
		return fmt.Errorf("%s refused %s: %s", server, event, answer.PDUErrors[event.ID()])
	}
	return nil
}

// Limits of a transaction (server-server API, "Transactions").
const (
	maxPDUs = 50
	maxEDUs = 100
)

// send answers PUT /send/{txnId}.
func (p *Peer) send(request *Request) Answer {
	if !gjson.ValidBytes(request.Body) {
		return unexpected(http.StatusBadRequest, "M_NOT_JSON", "the transaction is not JSON")
	}
	id := request.Origin + " " + request.parameter(0)
	p.mu.Lock()
	given, repeated := p.txns[id]
	p.mu.Unlock()
	if repeated {
		return given
	}
	transaction := gjson.ParseBytes(request.Body)
	pdus, edus := transaction.Get("pdus").Array(), transaction.Get("edus").Array()
	if len(pdus) > maxPDUs || len(edus) > maxEDUs {
		return unexpected(http.StatusBadRequest, "M_BAD_JSON", fmt.Sprintf("the transaction has %d PDUs and %d EDUs", len(pdus), len(edus)))
	}
	outcome := map[string]any{}
	for _, pdu := range pdus {
		raw := []byte(pdu.Raw)
		event := NewEvent(raw, p.formatOf(raw, ""))
		room := p.Room(event.RoomID())
		outcome[event.ID()] = map[string]any{}
		problems := p.examine(request, event)
		if room == nil {
			problems = append(problems, "the peer is not in the room "+event.RoomID())
		} else if len(problems) == 0 {
			room.Apply(event)
		}
		p.receive(Received{Event: event, Origin: request.Origin, Via: Send, Room: room, Problems: problems})
	}
	for _, edu := range edus {
		p.receiveEDU(EDU{Type: edu.Get("edu_type").String(), Raw: []byte(edu.Raw), Origin: request.Origin})
	}
	answer := JSON(http.StatusOK, map[string]any{"pdus": outcome})
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.txns[id] = answer
	}
	return answer
}

// examine verifies an event from another server: hash, signature and, of a join, the mapping. It returns the problems.
func (p *Peer) examine(request *Request, event Event) []string {
	var problems []string
	if err := pseudoid.CheckContentHash(event.json); err != nil {
		problems = append(problems, "content hash: "+err.Error())
	}
	keys := p.keysWithin(request.http.Context())
	if event.format.Pseudonymous {
		if _, err := pseudoid.VerifySenderSignature(event.json, event.format); err != nil {
			problems = append(problems, "sender signature: "+err.Error())
		}
		if event.Type() == "m.room.member" && event.Membership() == "join" {
			problems = append(problems, examineMapping(event, keys)...)
		}
		return problems
	}
	domain, err := pseudoid.UserIDDomain(event.Sender())
	if err != nil {
		return append(problems, "sender: "+err.Error())
	}
	var last error = errors.New("no signature of " + domain)
	for keyID := range event.Get("signatures").Map()[domain].Map() {
		key, err := keys(domain, keyID)
		if err == nil {
			err = pseudoid.VerifyEventSignature(event.json, event.format, domain, keyID, key)
		}
		if err == nil {
			return problems
		}
		last = err
	}
	return append(problems, "server signature: "+last.Error())
}

// examineMapping verifies the mapping of a join and returns the problems.
func examineMapping(event Event, keys func(serverName, keyID string) (ed25519.PublicKey, error)) []string {
	raw, ok := pseudoid.MappingOf(event.json)
	if !ok {
		return []string{"mapping: a join without " + pseudoid.MappingField}
	}
	parsed, err := pseudoid.ParseMapping(raw)
	if err != nil {
		return []string{"mapping: " + err.Error()}
	}
	if stateKey, _ := event.StateKey(); string(parsed.Key) != stateKey {
		return []string{"mapping: it names the key " + string(parsed.Key) + ", the event is that of " + stateKey}
	}
	if err := pseudoid.VerifyMapping(parsed, keys); err != nil {
		return []string{"mapping: " + err.Error()}
	}
	return nil
}
