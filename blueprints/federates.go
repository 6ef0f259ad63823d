package blueprints

// Health of a server's federation: that it still sends to and accepts from a healthy peer. One that is stuck there answers its clients
// all the same.

import (
	"context"
	"fmt"
	"time"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

// meetingTime bounds the first exchange of a server and the healthy peer (World.Within).
const meetingTime = 5 * time.Second

// healthPeer returns the healthy peer of the run, which is in a room of each server.
func (w *World) healthPeer() (*federation.Peer, error) {
	w.healthMu.Lock()
	defer w.healthMu.Unlock()
	if w.healthy == nil {
		started, err := w.Peers.NewPeer(nil, pseudoid.FormatV10)
		if err != nil {
			return nil, fmt.Errorf("start a peer for health checks: %w", err)
		}
		w.healthy = started
	}
	return w.healthy, nil
}

// federated is the room of a health user that a user of the healthy peer is in, too.
type federated struct {
	client *csapi.Client
	room   *federation.Room
	remote *federation.User
}

// meets lets a user of the healthy peer join the room of a health user. It returns nil if they do not hear each other there: that is
// for checks to judge, and no illness.
func (d *Deployment) meets(ctx context.Context, user *healthUser, server string) (*federated, error) {
	peer, err := d.world.healthPeer()
	if err != nil {
		return nil, err
	}
	limited, cancel := d.world.Within(ctx, meetingTime)
	defer cancel()
	met := &federated{client: user.client, remote: peer.User("health")}
	if met.room, err = peer.Join(limited, server, user.room, met.remote); err != nil {
		return nil, nil
	}
	if met.exchange(limited, "first words") != nil {
		return nil, nil
	}
	return met, nil
}

// exchange lets the health user and the peer send a message each, and waits until the other side has it.
func (f *federated) exchange(ctx context.Context, text string) error {
	// The peer speaks first: a server may wait before it tries again to reach one that it could not, and stops waiting when it hears of it.
	said, err := f.room.Build(federation.TextMessage(f.remote, text))
	if err == nil {
		err = f.room.Send(ctx, said)
	}
	if err != nil {
		return fmt.Errorf("an event of a healthy peer: %w", err)
	}
	if _, err := f.client.WaitForEventID(ctx, f.room.ID(), said.ID()); err != nil {
		return fmt.Errorf("an event of a healthy peer: %w", err)
	}
	eventID, err := f.client.SendMessage(ctx, f.room.ID(), text)
	if err != nil {
		return err
	}
	if _, err := f.room.Peer().WaitForEventID(ctx, eventID); err != nil {
		return fmt.Errorf("an event to a healthy peer: %w", err)
	}
	return nil
}

// Federates lets each server and a healthy peer exchange messages, if they did when the server started. It returns nil while a check
// restarts a server.
func (d *Deployment) Federates(ctx context.Context) error {
	if !d.outage.TryRLock() {
		return nil
	}
	defer d.outage.RUnlock()
	return d.eachServer(func(place int) error { return d.healthUsers[place].federates(ctx, d.healthText()) })
}

func (u *healthUser) federates(ctx context.Context, text string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.federated == nil {
		return nil
	}
	return u.federated.exchange(ctx, text)
}

func (d *Deployment) healthText() string {
	return fmt.Sprintf("health check %d", d.healthChecks.Add(1))
}
