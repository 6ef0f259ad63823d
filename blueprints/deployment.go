package blueprints

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
	"msc4014/runtime"
)

// Deployment is servers of a candidate that run together.
type Deployment struct {
	world    *World
	id       string
	servers  []runtime.Server
	patients []patient // one a server
	beats    atomic.Int64
	outage   sync.RWMutex // held while a check stops and starts a server
	shared   sync.Map

	closed   chan struct{} // ends the watch over servers that are removed
	unwatch  sync.Once
	died     chan struct{}
	mu       sync.Mutex
	death    check.Death
	declared bool
}

var _ stage.Deployment = (*Deployment)(nil)

// ID is unique in the run.
func (d *Deployment) ID() string { return d.id }

// Server returns the server at a place, counted from 0.
func (d *Deployment) Server(place int) runtime.Server { return d.servers[place] }

// Shared has what checks on the deployment share, by name.
func (d *Deployment) Shared() *sync.Map { return &d.shared }

// Died is closed when a server ended unasked or the deployment was declared dead.
func (d *Deployment) Died() <-chan struct{} { return d.died }

// Death says what happened; empty while the deployment lives.
func (d *Deployment) Death() check.Death {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.death
}

// MarkDead declares the deployment dead.
func (d *Deployment) MarkDead(cause string) {
	d.die(check.Death{Cause: cause, Silent: true, LogTail: d.Log(20)})
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

// watch declares the deployment dead when a server's present start ends unasked.
func (d *Deployment) watch(server runtime.Server) {
	exited := server.Exited()
	go func() {
		select {
		case <-exited:
			text, killed := server.Ending()
			death := check.Death{Cause: server.Host() + " " + text, Outside: killed, LogTail: server.Log(20)}
			d.die(death)
		case <-d.died:
		case <-d.closed:
		}
	}()
}

// Restart stops a server, by SIGKILL or politely, and starts it again with its data.
func (d *Deployment) Restart(ctx context.Context, place int, kill bool) error {
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
	if err := server.Start(ctx); err != nil {
		return fmt.Errorf("start %s again: %w", server.Host(), err)
	}
	d.ClientAPI(place).CloseIdleConnections()
	d.watch(server)
	return nil
}

// Log returns the end of each server's log.
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
	return d.eachServer(func(place int) error { return d.servers[place].Remove(ctx) })
}

// patient is a user of a server's healthy room: an ordinary room of the server's default version, its alone.
type patient struct {
	client *csapi.Client
	room   string
}

// prepareHealth makes a healthy room on each server.
func (d *Deployment) prepareHealth(ctx context.Context) error {
	patients := make([]patient, len(d.servers))
	err := d.eachServer(func(place int) error {
		client, err := d.ClientAPI(place).Register(ctx, fmt.Sprintf("health-%s-%d", d.id, place+1), "health-password")
		if err != nil {
			return err
		}
		room, err := client.CreateRoom(ctx, map[string]any{"preset": "private_chat"})
		if err != nil {
			return fmt.Errorf("the healthy room: %w", err)
		}
		patients[place] = patient{client, room}
		return nil
	})
	if err == nil {
		d.patients = patients
	}
	return err
}

// Answers asks each server for GET /versions. Any answer will do: silence is an error, but for one that a check asked for.
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

// Health lets each server's user send a message in its healthy room and read it back. A deployment that a check is just
// stopping or starting is not ill.
func (d *Deployment) Health(ctx context.Context) error {
	if !d.outage.TryRLock() {
		return nil
	}
	defer d.outage.RUnlock()
	return d.eachServer(func(place int) error {
		return d.patients[place].beat(ctx, fmt.Sprintf("beat %d", d.beats.Add(1)))
	})
}

// beat sends and waits until /sync shows what was sent: servers may answer a sender before its readers see the event.
func (p patient) beat(ctx context.Context, text string) error {
	eventID, err := p.client.SendMessage(ctx, p.room, text)
	if err != nil {
		return err
	}
	_, err = p.client.WaitForEvent(ctx, p.room, match.EventID(eventID))
	return err
}

// eachServer calls do for every server's place at once and joins the errors.
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
