package realclient_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/realclient"
)

func TestLineBeingTypedIsNoBuffer(t *testing.T) {
	typed := realclient.Screen{"1.weechat│", "2.hs     │", "         │[alice] /join #tavern-10:peer.test"}
	assert.ErrorContains(t, typed.Buffer("#tavern-10"), "the list of buffers has no #tavern-10")
	joined := realclient.Screen{"1.weechat      │", "2.hs           │", "3.  #tavern-10 │[alice]"}
	assert.NoError(t, joined.Buffer("#tavern-10"))
	assert.Error(t, joined.Buffer("#tavern-1"), "another room")
}
