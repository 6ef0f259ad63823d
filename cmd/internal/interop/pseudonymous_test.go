package interop

// Pseudo-ID rooms: the reference in the deployed dialect, with the last Dendrite that supports them, as far as it does.

import (
	"testing"

	"github.com/stretchr/testify/require"

	"msc4014/helpers/pseudoid"
)

const (
	deployedReference = "reference@dendrite"
	deployedDendrite  = "dendrite@0.13.8"
)

// TestPseudonymousRooms tells all stories except invites to Dendrite.
func TestPseudonymousRooms(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Dendrite")
	}
	world := deploy(t, "process", deployedReference, deployedDendrite)
	for _, each := range meetings {
		world.pseudonymous(t, deployedReference, deployedDendrite, each)
		world.pseudonymous(t, deployedDendrite, deployedReference, each)
	}
	for _, each := range invitations {
		world.pseudonymous(t, deployedDendrite, deployedReference, each)
	}
}

// pseudonymous tells a story in a pseudo-ID room.
func (d deployment) pseudonymous(t *testing.T, host, guest string, told story) {
	t.Run(guest+" at "+host+"/"+told.name, func(t *testing.T) {
		t.Parallel()
		d.tell(t, told, host, guest, pseudoid.RoomVersion)
	})
}

// TestInviteToDendriteInPseudonymousRoom invites a user of Dendrite. Dendrite completes the invite according to the protocol,
// but then crashes with a nil pointer, because its push rules cannot find the user for the inviter's key in a room that it
// has not joined. It also crashes when another Dendrite invites. The reference continues.
func TestInviteToDendriteInPseudonymousRoom(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Dendrite")
	}
	world := deploy(t, "process", deployedReference, deployedDendrite)
	invited := world.servers[deployedDendrite]
	world.tell(t, story{tell: func(alice, bob *user, version string) {
		room := alice.makesRoom(version, "private_chat")
		// If Dendrite exits before it has answered, nobody is invited.
		err := alice.Invite(alice.ctx, room, bob.UserID)
		select {
		case <-invited.Exited():
		case <-alice.ctx.Done():
			t.Fatalf("%s did not crash after the invite; add the stories of invitations to it to TestPseudonymousRooms", deployedDendrite)
		}
		require.Contains(t, invited.Log(100), "evaluatePushRules", "%v", err)
		if err == nil {
			alice.awaitsMembership(room, bob.UserID, "invite")
		}
		alice.says(room, "said after all")
	}}, deployedReference, deployedDendrite, pseudoid.RoomVersion)
}
