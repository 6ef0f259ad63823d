// Package homeserver puts the reference homeserver together: store, keys, rooms and users, and the two HTTP APIs over
// them. What listens, and with which certificate, is the caller's: dockerfiles/reference is the program.
//
// To read the server, begin with reference/pseudonym, which is what MSC4014 adds to a homeserver, then reference/rooms.
package homeserver

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
	"msc4014/reference/clientapi"
	"msc4014/reference/federation"
	"msc4014/reference/federation/outgoing"
	"msc4014/reference/federation/transport"
	"msc4014/reference/keyring"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rooms"
	"msc4014/reference/rules"
	"msc4014/reference/store"
	"msc4014/reference/stream"
	"msc4014/reference/users"
)

// Config is what a homeserver is made with.
type Config struct {
	ServerName string
	DataDir    string // a folder that is there; what it is left with is what the next New begins with
	Dialect    pseudoid.Dialect
	Readings   pseudonym.Readings // begin with pseudonym.DefaultReadings
	RootCAs    *x509.CertPool     // who signs the certificates of other servers; nil: whom the machine trusts
	Log        *slog.Logger       // nil: none
}

// Homeserver is one homeserver.
type Homeserver struct {
	client, server http.Handler
	closers        []func() error // in the order in which they are called
}

// New opens the homeserver in a data folder, or makes it there, and begins to send what other servers are still to get.
func New(c Config) (*Homeserver, error) {
	h := &Homeserver{}
	if err := h.open(c); err != nil {
		return nil, errors.Join(fmt.Errorf("the homeserver %s in %s: %w", c.ServerName, c.DataDir, err), h.Close())
	}
	return h, nil
}

// opened puts what ends something before everything that was opened earlier, on which it stands.
func (h *Homeserver) opened(end func() error) { h.closers = slices.Insert(h.closers, 0, end) }

// andNothing makes an end that can fail of one that cannot.
func andNothing(end func()) func() error { return func() error { end(); return nil } }

func (h *Homeserver) open(c Config) error {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	kept, err := store.Open(c.DataDir)
	if err != nil {
		return err
	}
	h.opened(kept.Close)
	others := transport.New(c.RootCAs)
	h.opened(andNothing(others.Close))
	keys, err := keyring.New(keyring.Config{ServerName: c.ServerName, Store: kept, Transport: others})
	if err != nil {
		return err
	}
	h.opened(andNothing(keys.Close))
	client, err := outgoing.New(outgoing.Config{
		ServerName: c.ServerName, Transport: others, Signer: keys, Store: kept, Log: c.Log,
	})
	if err != nil {
		return err
	}
	h.opened(andNothing(client.Close))

	pseudonymRules := pseudonym.Rules{Dialect: c.Dialect, Server: c.ServerName, Readings: c.Readings}
	people, err := users.Open(users.Config{
		Server: c.ServerName, Store: kept, Log: c.Log, MayRegister: pseudonymRules.MayRegister,
	})
	if err != nil {
		return err
	}
	h.opened(andNothing(people.Close))
	last, err := rooms.LastPosition(kept)
	if err != nil {
		return err
	}
	clock := stream.NewClock(max(last, people.LastPosition()))
	places, err := rooms.Open(rooms.Config{
		Server: keys.Signer(), Pseudonym: pseudonymRules, Rules: rules.Rules{},
		Store: kept, Clock: clock, MappingKeys: keys.KeySource(), KeyAsker: keys, EventKeys: keys.ServerKeys(), Remote: client,
		Profile: profiles(people), Exists: people.Exists, Log: c.Log,
	})
	if err != nil {
		return err
	}
	h.opened(andNothing(places.Close))
	people.Connect(clock, audience{places, c.ServerName}, client.ForUsers())

	api, err := clientapi.New(clientapi.Config{
		Server: c.ServerName, Users: people, Rooms: places, Clock: clock, Store: kept, Remote: client,
		MediaDir: filepath.Join(c.DataDir, "media"), Log: c.Log,
	})
	if err != nil {
		return err
	}
	server := federation.New(federation.Config{
		ServerName: c.ServerName, Keys: keys, Rooms: places, Users: people, Client: client, Log: c.Log,
	})
	h.opened(andNothing(server.Close))
	h.client, h.server = api, server
	return nil
}

// ClientHandler answers clients, in plain HTTP.
func (h *Homeserver) ClientHandler() http.Handler { return h.client }

// FederationHandler answers other servers, behind TLS.
func (h *Homeserver) FederationHandler() http.Handler { return h.server }

// Close ends what the homeserver does. No request may be under way any more.
func (h *Homeserver) Close() error {
	var problems []error
	for _, end := range h.closers {
		problems = append(problems, end())
	}
	return errors.Join(problems...)
}

// profiles gives rooms the profiles of own users, for their member events.
func profiles(people *users.Users) func(userID string) rooms.Profile {
	return func(userID string) rooms.Profile {
		fields, err := people.LocalProfile(userID)
		if err != nil {
			return rooms.Profile{} // a user who was deactivated has none
		}
		text := func(field string) string { return gjson.ParseBytes(fields[field]).String() }
		return rooms.Profile{DisplayName: text("displayname"), AvatarURL: text("avatar_url")}
	}
}

// audience tells users which other servers must hear of something.
type audience struct {
	rooms *rooms.Rooms
	own   string
}

// ServersOf returns the other servers in a room.
func (a audience) ServersOf(roomID string) []string {
	room := a.rooms.Get(roomID)
	if room == nil {
		return nil
	}
	return room.Audience()
}

// ServersSharing returns the other servers in any room that an own user is in.
func (a audience) ServersSharing(userID string) []string {
	var servers []string
	for _, room := range a.rooms.All() {
		if room.Membership(userID) == "join" {
			servers = append(servers, a.ServersOf(room.ID())...)
		}
	}
	slices.Sort(servers)
	return slices.Compact(servers)
}
