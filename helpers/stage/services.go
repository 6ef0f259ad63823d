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

// Service is an application service that the suite plays. All checks on its deployment share it.
type Service struct {
	*appservice.Service
	stage *Stage
}

// Service returns an application service of the deployment, whose exchanges from now on are in the check's transcript.
func (s *Stage) Service(id string) *Service {
	host := s.Deployment.Services()
	if host == nil {
		s.C.SuiteError(errors.New("the blueprint has no application services"))
	}
	s.C.Cleanup(host.Record(s.C.Sink()))
	return &Service{Service: host.Service(id), stage: s}
}

// IsPushed waits until the service is pushed an event of a room that matches. It returns an error if none comes.
func (s *Service) IsPushed(roomID string, match func(event gjson.Result) error) (gjson.Result, error) {
	ctx, cancel := s.stage.C.Within(Patience)
	defer cancel()
	return s.Wait(ctx, roomID, match)
}
