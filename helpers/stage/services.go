package stage

// The application services of a deployment.

import (
	"errors"

	"github.com/tidwall/gjson"

	"msc4014/helpers/appservice"
)

// The application services that a blueprint with Services has, by their IDs.
const (
	Everyone = "everyone" // interested in all users
	Bridge   = "bridge"   // interested in users whose localparts begin with BridgedPrefix
)

// BridgedPrefix begins the localparts of the users of Bridge.
const BridgedPrefix = "bridged-"

// Service is an application service that the suite plays. All checks on its deployment share it. What a check is shown of a room is in
// the check's transcript.
type Service struct {
	service   *appservice.Service
	recording *appservice.Recording
	stage     *Stage
}

// Service returns an application service of the deployment.
func (s *Stage) Service(id string) *Service {
	host := s.Deployment.Services()
	if host == nil {
		s.C.SuiteError(errors.New("the blueprint has no application services"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.services == nil {
		s.services = map[string]*Service{}
	}
	if s.services[id] == nil {
		service := host.Service(id)
		s.services[id] = &Service{service: service, recording: service.Record(s.C.Sink()), stage: s}
		s.C.Cleanup(s.services[id].recording.Stop)
	}
	return s.services[id]
}

// Events returns the events of a room that the service was pushed so far, in that order.
func (s *Service) Events(roomID string) []gjson.Result {
	s.recording.Room(roomID)
	return s.service.Events(roomID)
}

// IsPushed waits until the service is pushed an event of a room that matches. It returns an error if none comes.
func (s *Service) IsPushed(roomID string, match func(event gjson.Result) error) (gjson.Result, error) {
	s.recording.Room(roomID)
	ctx, cancel := s.stage.C.Within(Patience)
	defer cancel()
	return s.service.Wait(ctx, roomID, match)
}
