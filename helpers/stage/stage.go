// Package stage holds the actors of a check: users of the servers under test, peers and their users, rooms. What they do
// either works or ends the check with the right verdict, so that a check reads as a story; what a check wants to look
// at more closely is underneath, in csapi.Client and federation.Peer, where functions return errors.
package stage

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/pseudoid"
	"msc4014/runtime"
)

// Patience is how long an actor waits for something that must come, on a quiet machine.
const Patience = 8 * time.Second

// Stage is one check's share of a deployment: the users, rooms and peers that it makes there are its own.
type Stage struct {
	C          *check.C
	Deployment Deployment
	world      World
}

// Open gives the check a deployment made from the blueprint. Candidates that cannot have pseudo-ID rooms (together) end
// the check: unsupported.
func Open(c *check.C, blueprint Blueprint) *Stage {
	// Asked before anything is deployed: servers that are started for nothing slow down other checks.
	needRooms(c, blueprint)
	if c.Check().Containers && !worldOf(c).CutsOff() {
		c.NotRun("plain processes share one network and cannot be cut off from it: it takes containers (--runtime docker)")
	}
	return OpenOrdinary(c, blueprint)
}

func worldOf(c *check.C) World { return c.Deployments().(World) }

// needRooms ends the check if the servers of a blueprint cannot have pseudo-ID rooms.
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
	return &Stage{c, c.Deploy(blueprint.Name, blueprint.Private).(Deployment), worldOf(c)}
}

// OpenExpendable gives the check a deployment of its own that it may bring down, and reports whether it is fresh: unless
// onlyFresh, it may be one that another check handed on (C.HandOn).
func OpenExpendable(c *check.C, blueprint Blueprint, onlyFresh bool) (s *Stage, fresh bool) {
	needRooms(c, blueprint)
	deployment, fresh := c.Expendable(blueprint.Name, onlyFresh)
	return &Stage{c, deployment.(Deployment), worldOf(c)}, fresh
}

// Format is how the candidate of hs1 spells events of pseudo-ID rooms; everybody on the stage speaks as it does.
func (s *Stage) Format() pseudoid.Format { return s.world.Format() }

// ServerName is the name of the server at a place, counted from 1 as in hs1.
func (s *Stage) ServerName(place int) string { return s.Deployment.Server(place - 1).Name() }

// client is a server's API with the check's transcript and deadlines.
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

// TryUser is UserAt for servers that may be gone.
func (s *Stage) TryUser(place int, name string) (*User, error) {
	suffix := make([]byte, 4)
	_, _ = rand.Read(suffix) // never fails, by its documentation
	localpart := fmt.Sprintf("%s-%s", name, hex.EncodeToString(suffix))
	client, err := s.client(place).Register(s.C.Context(), localpart, passwordOf(localpart))
	return &User{Client: client, stage: s, place: place}, err
}

// passwordOf is the password of a user that the suite registered.
func passwordOf(localpart string) string { return "password of " + localpart }

// Registers tries to register a user of hs1 under this very localpart, for what a check wants to know of localparts. A
// server keeps the user for as long as it lives.
func (s *Stage) Registers(localpart string) (userID string, err error) {
	client, err := s.client(1).Register(s.C.Context(), localpart, passwordOf(localpart))
	if err != nil {
		return "", err
	}
	return client.UserID, nil
}

// Restart stops the server at a place, by SIGKILL or politely, and starts it with its data.
func (s *Stage) Restart(place int, kill bool) {
	err := s.Deployment.Restart(s.C.Context(), place-1, kill)
	var failed *runtime.StartError
	if errors.As(err, &failed) {
		s.C.Need("resilience/restart", err)
	}
	if err != nil {
		s.C.SuiteError(err)
	}
}

// CutOff disconnects the server at a place from the federation; its clients do not notice.
func (s *Stage) CutOff(place int) { s.must(s.Deployment.Server(place - 1).CutOff(s.C.Context())) }

// Rejoin connects it again.
func (s *Stage) Rejoin(place int) { s.must(s.Deployment.Server(place - 1).Rejoin(s.C.Context())) }

// Pause freezes the server at a place, at most until the check ends: nothing else may stand on the deployment.
func (s *Stage) Pause(place int) {
	server := s.Deployment.Server(place - 1)
	s.must(server.Pause(s.C.Context()))
	s.C.Cleanup(func() { _ = server.Resume(context.WithoutCancel(s.C.Context())) }) // most often it goes on already
}

// Resume lets it go on.
func (s *Stage) Resume(place int) { s.must(s.Deployment.Server(place - 1).Resume(s.C.Context())) }

// need ends the check if a step failed: blocked by the requirement to blame, or failed if the check judges that one.
func (s *Stage) need(blame string, err error) {
	s.C.Need(cmp.Or(blame, s.C.Check().Requires[0]), err)
}

// must ends the check if something could not be done with a server.
func (s *Stage) must(err error) {
	switch {
	case errors.Is(err, runtime.ErrNotPossible):
		s.C.NotRun("%v", err)
	case err != nil:
		s.C.SuiteError(err)
	}
}
