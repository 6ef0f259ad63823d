package blueprints

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"msc4014/helpers/appservice"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
	"msc4014/runtime"
)

// Deployment is a set of servers that run together.
type Deployment struct {
	world        *World
	id           string
	servers      []runtime.Server
	healthUsers  []*healthUser // by place
	healthChecks atomic.Int64
	outage       sync.RWMutex // held while a check restarts a server
	shared       sync.Map
	services     *appservice.Host // nil unless the blueprint has some

	closed   chan struct{} // closed before the servers are removed: their exits are expected then
	unwatch  sync.Once
	died     chan struct{}
	mu       sync.Mutex
	death    check.Death
	declared bool
}

var _ stage.Deployment = (*Deployment)(nil)

// ID returns an identifier that is unique in the run.
func (d *Deployment) ID() string { return d.id }

// Server returns the server at a place, counted from 0.
func (d *Deployment) Server(place int) runtime.Server { return d.servers[place] }

// Shared returns what checks on the deployment share, by name.
func (d *Deployment) Shared() *sync.Map { return &d.shared }

// Services returns the application services of the server; nil unless the blueprint has some.
func (d *Deployment) Services() *appservice.Host { return d.services }

// Died returns a channel that is closed when a server exits unexpectedly or the deployment is declared dead.
func (d *Deployment) Died() <-chan struct{} { return d.died }

// Death returns what happened, or the zero value if the deployment is alive.
func (d *Deployment) Death() check.Death {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.death
}

// crashLines are the lines of a log that are looked at for how the server ended: a stack is long.
const crashLines = 200

// MarkDead declares the deployment dead.
func (d *Deployment) MarkDead(cause string) {
	d.die(check.Death{Cause: cause, Silent: true, LogTail: d.Log(crashLines)})
}

func (d *Deployment) die(death check.Death) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.declared {
		return
	}
	d.declared = true
	d.death = death
	close(d.died)
}

// watch declares the deployment dead when the server exits unexpectedly. It must be called after each start.
func (d *Deployment) watch(server runtime.Server) {
	exited := server.Exited()
	go func() {
		select {
		case <-exited:
			text, killed := server.Ending()
			death := check.Death{Cause: server.Host() + " " + text, Outside: killed, LogTail: server.Log(crashLines)}
			d.die(death)
		case <-d.died:
		case <-d.closed:
		}
	}()
}

// Restart stops a server, by SIGKILL if kill, calls meanwhile, which may be nil, and starts the server again with its data, even if
// meanwhile ends the goroutine.
func (d *Deployment) Restart(ctx context.Context, place int, kill bool, meanwhile func()) (err error) {
	d.outage.Lock()
	defer d.outage.Unlock()
	server := d.servers[place]
	end := server.Stop
	if kill {
		end = server.Kill
	}
	if err := end(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", server.Host(), err)
	}
	defer func() {
		if startErr := server.Start(context.WithoutCancel(ctx)); startErr != nil {
			err = fmt.Errorf("start %s again: %w", server.Host(), startErr)
			return
		}
		d.ClientAPI(place).CloseIdleConnections()
		d.watch(server)
	}()
	if meanwhile != nil {
		meanwhile()
	}
	return nil
}

// CutOff disconnects a server from the federation, but not from its clients, until Rejoin. Its health checks leave the federation out
// from then on: no text says how soon a server notices that its connections are dead, so that checks judge what heals.
func (d *Deployment) CutOff(ctx context.Context, place int) error {
	user := d.healthUsers[place]
	user.mu.Lock()
	defer user.mu.Unlock()
	if err := d.servers[place].CutOff(ctx); err != nil {
		return err
	}
	user.federated = nil
	return nil
}

// Rejoin connects it again.
func (d *Deployment) Rejoin(ctx context.Context, place int) error {
	return d.servers[place].Rejoin(ctx)
}

// Log returns the last lines of each server's log.
func (d *Deployment) Log(lines int) string {
	var text strings.Builder
	for _, server := range d.servers {
		if len(d.servers) > 1 {
			fmt.Fprintf(&text, "==== %s (%s)\n", server.Host(), server.Name())
		}
		text.WriteString(strings.TrimRight(server.Log(lines), "\n") + "\n")
	}
	return text.String()
}

// Close removes the servers.
func (d *Deployment) Close(ctx context.Context) error {
	d.unwatch.Do(func() { close(d.closed) })
	err := d.eachServer(func(place int) error {
		server := d.servers[place]
		if server == nil {
			return nil // it was not started
		}
		d.world.forget(server)
		return server.Remove(ctx)
	})
	if d.services != nil {
		err = errors.Join(err, d.services.Close())
	}
	return err
}

// healthUser is a user for health checks, with its own ordinary room, or none if the server refuses to create one: that is for checks
// to judge.
type healthUser struct {
	client *csapi.Client
	room   string

	mu           sync.Mutex // held during a health check
	federated    *federated // the healthy peer's part in the room; nil if the server and the peer do not hear each other
	pseudonymous string     // its room of the version that the run judges; "" before the first health check of a candidate that has those
}

// prepareHealth registers a health user on each server and creates its ordinary room, which the healthy peer joins.
func (d *Deployment) prepareHealth(ctx context.Context) error {
	users := make([]*healthUser, len(d.servers))
	err := d.eachServer(func(place int) error {
		client, err := d.ClientAPI(place).Register(ctx, fmt.Sprintf("health-%s-%d", d.id, place+1), "health-password")
		if err != nil {
			return err
		}
		user := &healthUser{client: client}
		users[place] = user
		if user.room, err = healthRoom(ctx, client); err == nil && user.room != "" {
			user.federated, err = d.meets(ctx, user, d.servers[place].Name())
		}
		return err
	})
	if err == nil {
		d.healthUsers = users
	}
	return err
}

// healthRoom makes an ordinary room: one that the healthy peer can join, or one of the server's default version. It returns "" if the
// server refuses both.
func healthRoom(ctx context.Context, client *csapi.Client) (roomID string, err error) {
	for _, options := range []map[string]any{
		{"preset": "public_chat", "room_version": pseudoid.FormatV10.RoomVersion},
		{"preset": "private_chat"},
	} {
		roomID, err = client.CreateRoom(ctx, options)
		if err == nil {
			return roomID, nil
		}
		if _, refused := csapi.Refused(err); !refused {
			return "", fmt.Errorf("create the room for health checks: %w", err)
		}
	}
	return "", nil
}

// Answers sends GET /versions to each server. It returns an error if one does not answer, unless a check is restarting it.
func (d *Deployment) Answers(ctx context.Context) error {
	if !d.outage.TryRLock() {
		return nil
	}
	defer d.outage.RUnlock()
	return d.eachServer(func(place int) error {
		if _, err := d.ClientAPI(place).Versions(ctx); csapi.NoAnswer(err) {
			return fmt.Errorf("%s did not answer GET /versions", d.servers[place].Host())
		}
		return nil
	})
}

// Talks lets each health user send a message and read it back, or only /sync if it has no room. It returns nil while a check restarts
// a server.
func (d *Deployment) Talks(ctx context.Context) error {
	if !d.outage.TryRLock() {
		return nil
	}
	defer d.outage.RUnlock()
	return d.eachServer(func(place int) error { return d.healthUsers[place].talks(ctx, d.healthText()) })
}

// Works is Talks in a pseudo-ID room instead, if the candidate has those. It costs a server less than half of Health, as no other server is
// in that room.
func (d *Deployment) Works(ctx context.Context) error {
	if !d.outage.TryRLock() {
		return nil
	}
	defer d.outage.RUnlock()
	return d.eachServer(func(place int) error {
		if version := d.pseudonymousVersion(place); version != "" {
			return d.healthUsers[place].talksPseudonymously(ctx, d.healthText(), version)
		}
		return d.healthUsers[place].talks(ctx, d.healthText())
	})
}

// Health is Talks, and the same in a pseudo-ID room if the candidate has those: such rooms can be broken while others work. What other
// servers see is Federates.
func (d *Deployment) Health(ctx context.Context) error {
	if !d.outage.TryRLock() {
		return nil
	}
	defer d.outage.RUnlock()
	return d.eachServer(func(place int) error {
		text := d.healthText()
		err := d.healthUsers[place].talks(ctx, text)
		if version := d.pseudonymousVersion(place); err == nil && version != "" {
			err = d.healthUsers[place].talksPseudonymously(ctx, text, version)
		}
		return err
	})
}

// pseudonymousVersion is the version of a server's pseudo-ID rooms; "" if the candidate has none.
func (d *Deployment) pseudonymousVersion(place int) string {
	if facts := d.world.factsOf(hostAt(place)); facts.Supported {
		return facts.Format.RoomVersion
	}
	return ""
}

// talks sends a message and waits until /sync shows it, in the user's ordinary room. If it has none, it only asks for /sync.
func (u *healthUser) talks(ctx context.Context, text string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.room == "" {
		_, err := u.client.Sync(ctx, "", 0, "")
		return err
	}
	return u.talksIn(ctx, u.room, text)
}

// talksPseudonymously is talks in the user's pseudo-ID room, of that version.
func (u *healthUser) talksPseudonymously(ctx context.Context, text, version string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.pseudonymous == "" {
		room, err := u.client.CreateRoom(ctx, map[string]any{"preset": "private_chat", "room_version": version})
		if err != nil {
			return fmt.Errorf("create another pseudo-ID room: %w", err)
		}
		u.pseudonymous = room
	}
	if err := u.talksIn(ctx, u.pseudonymous, text); err != nil {
		return fmt.Errorf("in a pseudo-ID room: %w", err)
	}
	return nil
}

// talksIn sends a message and waits until /sync shows it: servers may answer a sender before readers see the event.
func (u *healthUser) talksIn(ctx context.Context, room, text string) error {
	eventID, err := u.client.SendMessage(ctx, room, text)
	if err != nil {
		return err
	}
	_, err = u.client.WaitForEventID(ctx, room, eventID)
	return err
}

// eachServer calls do for the place of every server concurrently, and joins the errors.
func (d *Deployment) eachServer(do func(place int) error) error {
	errs := make([]error, len(d.servers))
	var pending sync.WaitGroup
	for place := range d.servers {
		pending.Add(1)
		go func() {
			defer pending.Done()
			errs[place] = do(place)
		}()
	}
	pending.Wait()
	return errors.Join(errs...)
}
