package appservice

// This file sends the events that a service is interested in, in their order, in transactions. A transaction is sent again, with the same
// ID, until the service has accepted it; no other goes before.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"msc4014/reference/rooms"
	"msc4014/reference/store"
	"msc4014/reference/stream"
)

const (
	mostEvents      = 100 // in a transaction
	attemptTimeout  = 10 * time.Second
	shortestBackoff = 500 * time.Millisecond
	longestBackoff  = 10 * time.Second
)

// Config has the dependencies of Pusher.
type Config struct {
	Server        string // the name of this server
	Registrations []*Registration
	Rooms         *rooms.Rooms
	Clock         *stream.Clock
	Store         *store.Store
	Log           *slog.Logger
}

// Pusher pushes events to application services in the background, until Close.
type Pusher struct {
	Config
	progress *store.Map[progress] // by the service's ID
	client   *http.Client
	lifetime context.Context
	end      context.CancelFunc
	pushing  sync.WaitGroup
}

// progress is how far a service is: it has everything up to one position. While a transaction is under way, it has the position up to
// which that is everything, and its body. It survives restarts, so that the same body is sent again with the same ID, whatever has been
// redacted meanwhile.
type progress struct {
	Accepted int64           `json:"accepted"`
	UnderWay int64           `json:"under_way,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// Open starts to push: to a new service, what happens from now on.
func Open(c Config) (*Pusher, error) {
	p := &Pusher{Config: c, client: &http.Client{Transport: &http.Transport{}}} // without the machine's proxy
	var err error
	if p.progress, err = store.NewMap[progress](c.Store, "appservice_progress"); err != nil {
		return nil, err
	}
	p.lifetime, p.end = context.WithCancel(context.Background())
	for _, service := range c.Registrations {
		if service.URL == nil {
			continue
		}
		at, known := p.progress.Get(service.ID)
		if !known {
			at = progress{Accepted: c.Clock.Now()}
			if err := p.keep(service, at); err != nil { // it gets what happens from now on, also if the server stops before the first push
				p.Close()
				return nil, err
			}
		}
		p.pushing.Go(func() {
			if err := p.push(service, at); p.lifetime.Err() == nil {
				c.Log.Error("nothing more is pushed", "service", service.ID, "error", err)
			}
		})
	}
	return p, nil
}

// Close stops the pushing. The store must be open until it returns.
func (p *Pusher) Close() {
	p.end()
	p.pushing.Wait()
	p.client.CloseIdleConnections()
}

// push pushes to a service until Close, or until the store fails.
func (p *Pusher) push(to *Registration, at progress) error {
	for {
		if at.Body == nil {
			p.Clock.Wait(p.lifetime, at.Accepted)
			events, upTo := p.between(to, at.Accepted, p.Clock.Now())
			if err := p.lifetime.Err(); err != nil {
				return err
			}
			if len(events) == 0 {
				at.Accepted = upTo
				continue
			}
			body, err := json.Marshal(map[string]any{"events": events})
			if err != nil {
				return err
			}
			at.UnderWay, at.Body = upTo, body
			if err := p.keep(to, at); err != nil {
				return err
			}
		}
		if err := p.deliver(to, strconv.FormatInt(at.UnderWay, 10), at.Body); err != nil {
			return err
		}
		at = progress{Accepted: at.UnderWay}
		if err := p.keep(to, at); err != nil {
			return err
		}
	}
}

func (p *Pusher) keep(to *Registration, at progress) error {
	return p.Store.Update(func(tx *store.Tx) error {
		p.progress.Put(tx, to.ID, at)
		return nil
	})
}

// between returns the first events between two positions that a service is interested in, and the position up to which they are all.
func (p *Pusher) between(to *Registration, after, upTo int64) (events []json.RawMessage, last int64) {
	type placed struct {
		rooms.Due
		room *rooms.Room
	}
	var all []placed
	for _, room := range p.Rooms.All() {
		for _, event := range room.EventsAfter(after, upTo) {
			if p.interests(to, room, event.Event) {
				all = append(all, placed{event, room})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.At, b.At) })
	if most := mostEvents; len(all) > most {
		if all[most-1].At == all[most].At { // a create event and the creator's join
			most--
		}
		all = all[:most]
		upTo = all[most-1].At
	}
	for _, each := range all {
		events = append(events, each.room.ServiceView(each.Event))
	}
	return events, upTo
}

// interests reports whether a service is interested in an event: in its room, or in somebody whom it concerns. Namespaces have user IDs,
// not keys: that is what administrators know (MSC4014, Hard requirement 1).
func (p *Pusher) interests(to *Registration, room *rooms.Room, event *rooms.Event) bool {
	concerned := room.Concerned(event)
	return has(to.Namespaces.Rooms, room.ID()) || has(to.Namespaces.Aliases, p.Rooms.AliasesOf(room.ID())...) ||
		has(to.Namespaces.Users, concerned...) || slices.Contains(concerned, "@"+to.SenderLocalpart+":"+p.Server)
}

// deliver sends a transaction until it is accepted.
func (p *Pusher) deliver(to *Registration, id string, body []byte) error {
	for wait := shortestBackoff; ; wait = min(2*wait, longestBackoff) {
		err := p.attempt(to, id, body)
		if err == nil {
			return nil
		}
		p.Log.Info("a transaction was not accepted", "service", to.ID, "transaction", id, "error", err)
		select {
		case <-time.After(wait):
		case <-p.lifetime.Done():
			return p.lifetime.Err()
		}
	}
}

// attempt sends a transaction once: PUT /_matrix/app/v1/transactions/{txnId}.
func (p *Pusher) attempt(to *Registration, id string, body []byte) error {
	ctx, cancel := context.WithTimeout(p.lifetime, attemptTimeout)
	defer cancel()
	address := strings.TrimRight(*to.URL, "/") + "/_matrix/app/v1/transactions/" + url.PathEscape(id)
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+to.Token)
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be used again
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}
