package stage_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
)

// TestWhatHangsOnAnUnseenFormatIsUnsupported: the candidate has shown no path of invites.
func TestWhatHangsOnAnUnseenFormatIsUnsupported(t *testing.T) {
	f := newFakeCandidate(t)
	made := func(s *stage.Stage) *stage.Room {
		peer := s.Peer()
		return peer.Makes(federation.RoomOptions{Creator: peer.User("carol")})
	}
	result := f.judge(t, func(s *stage.Stage) { made(s) })
	assert.Equal(t, verdict.Pass, result.Verdict, "%s", result.Reason)
	result = f.judge(t, func(s *stage.Stage) {
		room := made(s)
		_, _, _ = room.Invite(s.C.Context(), s.ServerName(1), room.Peer().User("carol"), "@alice:hs1")
	})
	assert.Equal(t, verdict.Unsupported, result.Verdict)
	assert.Contains(t, result.Reason, "no event of the server showed its path of invites")
}
