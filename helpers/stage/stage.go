// Package stage provides the actors of a check: users of the servers under test, peers with their users, and rooms. Their methods
// succeed or end the check with the right verdict, so that checks read as scripts. The embedded csapi.Client and federation.Peer
// have methods that return errors.
package stage

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/formats"
	"msc4014/helpers/pseudoid"
	"msc4014/runtime"
)

// Patience bounds a wait for something that must come, in the check's own time.
const Patience = 8 * time.Second

// Stage is one check's view of a deployment, on which it has its own users, rooms and peers.
type Stage struct {
	C          *check.C
	Deployment Deployment
	world      World
	sharing    string // the scene that the check is preparing
	devices    int    // real clients that logged in as another device

	mu       sync.Mutex
	seen     map[glance]bool // which views users were given when they last looked
	accounts map[string]bool // the user IDs of users that the check registered
	guests   int             // how many users of peers Guests has returned
	services map[string]*Service
	lists    map[int]bool // whether the server at a place has /joined_members of ordinary rooms
}

// Open returns a stage on a deployment of the blueprint. It ends the check as unsupported if the servers do not support pseudo-ID
// rooms (together).
func Open(c *check.C, blueprint Blueprint) *Stage {
	// Ask before anything is deployed: servers that are started for nothing slow down other checks.
	needRooms(c, blueprint)
	if c.Check().Containers && !worldOf(c).CutsOff() {
		c.NotRun("plain processes share one network and cannot be cut off from it: it takes containers (--runtime docker)")
	}
	if why := worldOf(c).WithoutClients(); c.Check().Clients && why != "" {
		c.NotRun("%s", why)
	}
	return OpenOrdinary(c, blueprint)
}

// OnVersion12 says what shows that pseudo-ID rooms of the candidate build on room version 12, in which peers cannot take part; "" if nothing
// does.
func OnVersion12(c *check.C) string { return worldOf(c).OnVersion12() }

func worldOf(c *check.C) World { return c.Deployments().(World) }

// needRooms ends the check if the servers of a blueprint do not support pseudo-ID rooms.
func needRooms(c *check.C, blueprint Blueprint) {
	if why := worldOf(c).Lacks(blueprint); why != "" {
		c.Unsupported("%s", why)
	}
}

// OpenOrdinary is Open for checks that need no pseudo-ID rooms.
func OpenOrdinary(c *check.C, blueprint Blueprint) *Stage {
	if two := blueprint.Servers > 1; two != c.Check().TwoServers {
		c.SuiteError(fmt.Errorf("the blueprint %q has %d servers: a check that needs two is registered with TwoServers",
			blueprint.Name, blueprint.Servers))
	}
	return &Stage{C: c, Deployment: c.Deploy(blueprint.Name, blueprint.Private).(Deployment), world: worldOf(c)}
}

// OpenExpendable returns a stage on a deployment of the check's own that it may crash. Unless onlyFresh, it may be one that another
// check handed on (C.HandOn).
func OpenExpendable(c *check.C, blueprint Blueprint, onlyFresh bool) (s *Stage, fresh bool) {
	needRooms(c, blueprint)
	deployment, fresh := c.Expendable(blueprint.Name, onlyFresh)
	return &Stage{C: c, Deployment: deployment.(Deployment), world: worldOf(c)}, fresh
}

// Format returns the event format of pseudo-ID rooms of the candidate of hs1, which peers use, too.
func (s *Stage) Format() pseudoid.Format { return s.world.Format() }

// speaks ends the check as unsupported if a part of the candidate's format, in which a peer is about to write, was not seen.
func (s *Stage) speaks(parts ...formats.Part) {
	for _, part := range parts {
		if why := s.world.Unseen(part); why != "" {
			s.C.Unsupported("no event of the server showed its %s, in which a peer has to write: %s", part, why)
		}
	}
}

// knows reports whether events of the candidate showed all of these parts of its format.
func (s *Stage) knows(parts ...formats.Part) bool {
	return !slices.ContainsFunc(parts, func(part formats.Part) bool { return s.world.Unseen(part) != "" })
}

// ServerName returns the name of the server at a place, counted from 1 as in hs1.
func (s *Stage) ServerName(place int) string { return s.Deployment.Server(place - 1).Name() }

// client returns a server's API with the check's transcript and deadlines.
func (s *Stage) client(place int) csapi.Server {
	server := s.Deployment.ClientAPI(place - 1)
	server.Sink = s.C.Sink()
	server.Limit = s.C.Limit
	return server
}

// User registers a user of hs1 whose localpart begins with name.
func (s *Stage) User(name string) *User { return s.UserAt(1, name) }

// UserAt registers a user of the server at a place, counted from 1.
func (s *Stage) UserAt(place int, name string) *User {
	user, err := s.TryUser(place, name)
	s.C.Need("client-view/unmodified-client", err)
	return user
}

// TryUser is UserAt for servers that may be down.
func (s *Stage) TryUser(place int, name string) (*User, error) {
	suffix := make([]byte, 4)
	_, _ = rand.Read(suffix) // never fails
	localpart := fmt.Sprintf("%s-%s", name, hex.EncodeToString(suffix))
	client, err := s.client(place).Register(s.C.Context(), localpart, passwordOf(localpart))
	if err == nil {
		s.registers(client.UserID)
	}
	return &User{Client: client, stage: s, place: place}, err
}

func (s *Stage) registers(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts == nil {
		s.accounts = map[string]bool{}
	}
	s.accounts[userID] = true
}

// passwordOf returns the password of a user that the suite registers.
func passwordOf(localpart string) string { return "password of " + localpart }

// Registers tries to register a user of hs1 with exactly this localpart, for checks about localparts. The server keeps the user until
// it is removed.
func (s *Stage) Registers(localpart string) (userID string, err error) {
	client, err := s.client(1).Register(s.C.Context(), localpart, passwordOf(localpart))
	if err != nil {
		return "", err
	}
	return client.UserID, nil
}

// Restart stops the server at a place, by SIGKILL if kill, and starts it again with its data.
func (s *Stage) Restart(place int, kill bool) { s.RestartAfter(place, kill, nil) }

// RestartAfter is Restart with something that happens while the server is stopped.
func (s *Stage) RestartAfter(place int, kill bool, meanwhile func()) {
	err := s.Deployment.Restart(s.C.Context(), place-1, kill, meanwhile)
	var failed *runtime.StartError
	if errors.As(err, &failed) {
		s.C.Need("resilience/restart", err)
	}
	if err != nil {
		s.C.SuiteError(err)
	}
}

// CutOff disconnects the server at a place from the federation, but not from its clients, at most until the check ends.
func (s *Stage) CutOff(place int) {
	s.must(s.Deployment.CutOff(s.C.Context(), place-1))
	s.C.Cleanup(func() { _ = s.Deployment.Rejoin(context.WithoutCancel(s.C.Context()), place-1) }) // usually it has rejoined
}

// Rejoin reconnects it.
func (s *Stage) Rejoin(place int) { s.must(s.Deployment.Rejoin(s.C.Context(), place-1)) }

// Pause freezes the server at a place, at most until the check ends. No other check may use the deployment.
func (s *Stage) Pause(place int) {
	server := s.Deployment.Server(place - 1)
	s.must(server.Pause(s.C.Context()))
	s.C.Cleanup(func() { _ = server.Resume(context.WithoutCancel(s.C.Context())) }) // usually it is already resumed
}

// Resume resumes it.
func (s *Stage) Resume(place int) { s.must(s.Deployment.Server(place - 1).Resume(s.C.Context())) }

// need calls C.Need with the requirement to blame, or the one that the check judges. In a scene that checks share, each step must name
// the requirement: otherwise the verdicts would depend on which check comes first.
func (s *Stage) need(blame string, err error) {
	if blame == "" && s.sharing != "" {
		s.C.SuiteError(fmt.Errorf("a step that checks share (%s) does not say which requirement to blame", s.sharing))
	}
	s.C.Need(cmp.Or(blame, s.C.Check().Requires[0]), err)
}

// must ends the check if an operation on a server failed.
func (s *Stage) must(err error) {
	switch {
	case errors.Is(err, runtime.ErrNotPossible):
		s.C.NotRun("%v", err)
	case err != nil:
		s.C.SuiteError(err)
	}
}
