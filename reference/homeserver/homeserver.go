// Package homeserver assembles the reference homeserver: store, keys, rooms and users, and the two HTTP APIs over them.
// Listeners and certificates are up to the caller: dockerfiles/reference is the program.
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

	"msc4014/reference/appservice"
	"msc4014/reference/clientapi"
	"msc4014/reference/federation"
	"msc4014/reference/federation/outgoing"
	"msc4014/reference/federation/transport"
	"msc4014/reference/keyring"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rooms"
	"msc4014/reference/store"
	"msc4014/reference/stream"
	"msc4014/reference/users"
)

// Config configures a Homeserver.
type Config struct {
	ServerName string
	DataDir    string // an existing directory, which persists between runs
	Dialect    pdu.Dialect
	Readings   pseudonym.Readings // begin with pseudonym.DefaultReadings
	RootCAs    *x509.CertPool     // for other servers' certificates; nil means the system's
	Log        *slog.Logger       // nil means none
	// Services are the application services that events are pushed to.
	Services []*appservice.Registration
}

// Homeserver is one homeserver.
type Homeserver struct {
	client, server http.Handler
	closers        []func() error // in the order in which they are called
}

// New opens the homeserver in a data directory, or creates it there, and starts to send what is still queued for other
// servers.
func New(c Config) (*Homeserver, error) {
	h := &Homeserver{}
	if err := h.open(c); err != nil {
		return nil, errors.Join(fmt.Errorf("the homeserver %s in %s: %w", c.ServerName, c.DataDir, err), h.Close())
	}
	return h, nil
}

// opened registers a closer. Closers run in reverse order, so that dependencies are closed last.
func (h *Homeserver) opened(end func() error) { h.closers = slices.Insert(h.closers, 0, end) }

// andNothing adapts a closer that cannot fail.
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
	keys, err := keyring.New(keyring.Config{
		ServerName: c.ServerName, Store: kept, Transport: others, AskEachTime: c.Readings.LookUps == "one-a-member",
		KeepReplaced: c.Readings.ReplacedKey == "honoured",
	})
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
		Server: keys.Signer(), Pseudonym: pseudonymRules,
		Store: kept, Clock: clock, MappingKeys: keys.KeySource(), KeyAsker: keys, EventKeys: keys.ServerKeys(), Remote: client,
		Profile: profiles(people), Exists: people.Exists, Log: c.Log,
	})
	if err != nil {
		return err
	}
	h.opened(andNothing(places.Close))
	people.Connect(clock, audience{places, c.ServerName}, client.ForUsers())

	pusher, err := appservice.Open(appservice.Config{
		Server: c.ServerName, Registrations: c.Services, Rooms: places, Clock: clock, Store: kept, Log: c.Log,
	})
	if err != nil {
		return err
	}
	h.opened(andNothing(pusher.Close))

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

// ClientHandler serves the client-server API, over plain HTTP.
func (h *Homeserver) ClientHandler() http.Handler { return h.client }

// FederationHandler serves the server-server API, behind TLS.
func (h *Homeserver) FederationHandler() http.Handler { return h.server }

// Close stops the homeserver. No request may be in progress.
func (h *Homeserver) Close() error {
	var problems []error
	for _, end := range h.closers {
		problems = append(problems, end())
	}
	return errors.Join(problems...)
}

// profiles returns the profiles of local users for their member events.
func profiles(people *users.Users) func(userID string) rooms.Profile {
	return func(userID string) rooms.Profile {
		fields, err := people.LocalProfile(userID)
		if err != nil {
			return rooms.Profile{} // a deactivated user has none
		}
		text := func(field string) string { return gjson.ParseBytes(fields[field]).String() }
		return rooms.Profile{DisplayName: text("displayname"), AvatarURL: text("avatar_url")}
	}
}

// audience tells users which other servers to notify.
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

// ServersSharing returns the other servers in any room that a local user is in.
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
