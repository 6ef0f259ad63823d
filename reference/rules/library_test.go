// This file holds the rules against gomatrixserverlib's, through its event interface.

package rules

import (
	"crypto/ed25519"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/pdu"
)

// libraryPDU shows an event to gomatrixserverlib, in either dialect. What the rules do not ask for is not there.
type libraryPDU struct {
	*pdu.Event
	content []byte
}

var errNotAsked = errors.New("the rules do not ask for it")

func newPDU(e *pdu.Event) gomatrixserverlib.PDU {
	return &libraryPDU{e, []byte(e.Field("content").Raw)}
}

func pdus(events []*pdu.Event) []gomatrixserverlib.PDU {
	var all []gomatrixserverlib.PDU
	for _, e := range events {
		all = append(all, newPDU(e))
	}
	return all
}

func (p *libraryPDU) EventID() string { return p.ID() }
func (p *libraryPDU) StateKey() *string {
	if key, ok := p.Event.StateKey(); ok {
		return &key
	}
	return nil
}
func (p *libraryPDU) StateKeyEquals(s string) bool {
	key, ok := p.Event.StateKey()
	return ok && key == s
}
func (p *libraryPDU) Content() []byte             { return p.content }
func (p *libraryPDU) Membership() (string, error) { return p.Event.Membership(), nil }
func (p *libraryPDU) JoinRule() (string, error)   { return "", errNotAsked }
func (p *libraryPDU) HistoryVisibility() (gomatrixserverlib.HistoryVisibility, error) {
	return "", errNotAsked
}
func (p *libraryPDU) PowerLevels() (*gomatrixserverlib.PowerLevelContent, error) {
	return nil, errNotAsked
}
func (p *libraryPDU) Version() gomatrixserverlib.RoomVersion {
	return gomatrixserverlib.RoomVersion(p.Format().RoomVersion)
}
func (p *libraryPDU) RoomID() spec.RoomID {
	id, err := spec.NewRoomID(p.Event.RoomID())
	if err != nil {
		panic(err)
	}
	return *id
}
func (p *libraryPDU) Redacted() bool                 { return false }
func (p *libraryPDU) PrevEventIDs() []string         { return p.PrevEvents() }
func (p *libraryPDU) AuthEventIDs() []string         { return p.AuthEvents() }
func (p *libraryPDU) PrevStateEventIDs() []string    { return nil }
func (p *libraryPDU) OriginServerTS() spec.Timestamp { return spec.Timestamp(p.Event.OriginServerTS()) }
func (p *libraryPDU) Redact()                        {}
func (p *libraryPDU) SenderID() spec.SenderID        { return spec.SenderID(p.Sender()) }
func (p *libraryPDU) Unsigned() []byte               { return nil }
func (p *libraryPDU) SetUnsigned(any) (gomatrixserverlib.PDU, error) {
	return nil, errNotAsked
}
func (p *libraryPDU) SetUnsignedField(string, any) error { return errNotAsked }
func (p *libraryPDU) Sign(string, gomatrixserverlib.KeyID, ed25519.PrivateKey) gomatrixserverlib.PDU {
	return p
}
func (p *libraryPDU) ToHeaderedJSON() ([]byte, error)    { return nil, errNotAsked }
func (p *libraryPDU) IsSticky(time.Time, time.Time) bool { return false }
func (p *libraryPDU) StickyEndTime(time.Time) time.Time  { return time.Time{} }

// userOf gives each sender key a user of the server that the room ID names, so that no rule about domains ever decides.
func userOf(roomID spec.RoomID, sender spec.SenderID) (*spec.UserID, error) {
	if sender.IsUserID() {
		return spec.NewUserID(string(sender), true)
	}
	if key := sender.ToPseudoID(); key == nil || len(*key) != ed25519.PublicKeySize {
		return nil, errors.New("no key")
	}
	return spec.NewUserID("@somebody:"+string(roomID.Domain()), true)
}

// assertLibrary checks that gomatrixserverlib comes to the same, or does not where the case says why.
func assertLibrary(t *testing.T, c authCase, e *pdu.Event, state State) {
	t.Helper()
	provider, err := gomatrixserverlib.NewAuthEvents(pdus(slices.Collect(maps.Values(state))))
	require.NoError(t, err)
	err = gomatrixserverlib.Allowed(newPDU(e), provider, userOf)
	if wantAllowed := (c.rule == "") == (c.library == ""); wantAllowed {
		assert.NoError(t, err, "gomatrixserverlib")
	} else {
		assert.Error(t, err, "gomatrixserverlib")
	}
}

// TestWhyNotTheLibrarysResolution has alice change the power levels on one side and her name on both. The text takes the
// new power levels; gomatrixserverlib is left without power levels. If this fails after an upgrade, its resolution may have come to fit.
func TestWhyNotTheLibrarysResolution(t *testing.T) {
	inFormats(t, []string{"v10", "dendrite"}, func(t *testing.T, f pdu.Format) {
		here := populated(t, f)
		there := here.fork()
		changed := here.add(powerLevelsBy("alice", func(*room) object { return object{"kick": 40} })(here))
		for _, side := range []*room{here, there} {
			side.add(side.event("alice", memberType, new(side.id("alice")), object{"membership": "join", "displayname": "A"}))
		}
		resolved := resolveInAllOrders(t, here, there)
		assert.Equal(t, changed, resolved.Get(powerLevelsType, ""))

		var states [][]gomatrixserverlib.PDU
		for _, state := range []State{here.state, there.state} {
			states = append(states, pdus(slices.Collect(maps.Values(state))))
		}
		chain := pdus(slices.Collect(maps.Values(here.events)))
		theirs, err := gomatrixserverlib.ResolveConflictsNew(newPDU(changed).Version(), states, chain, userOf, here.Rejected)
		require.NoError(t, err)
		assert.False(t, slices.ContainsFunc(theirs, func(p gomatrixserverlib.PDU) bool { return p.Type() == powerLevelsType }))
	})
}
