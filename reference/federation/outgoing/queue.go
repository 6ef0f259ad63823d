package outgoing

// This file has the queues: what other servers are to be sent, in order, until they have taken it (server-server API,
// "Transactions").

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"msc4014/reference/store"
)

// Limits on a transaction.
const (
	maximumPDUs = 50
	maximumEDUs = 100
)

// EDU is something to tell another server that is no event.
type EDU struct {
	Type    string          `json:"edu_type"`
	Content json.RawMessage `json:"content"`
}

// queues are one queue for each destination.
type queues struct {
	items        *store.Map[item]     // by destination and number
	transactions *store.Map[underWay] // by destination
	lifetime     context.Context
	end          context.CancelFunc
	sending      sync.WaitGroup
	began        int64 // part of the names of transactions, which no two lives of the server share

	mu           sync.Mutex
	destinations map[string]*destination
	next         int64 // number of the next item
	formed       int64 // transactions
	closed       bool
}

// item is one thing that waits: an event or an EDU.
type item struct {
	PDU json.RawMessage `json:"pdu,omitempty"`
	EDU *EDU            `json:"edu,omitempty"`
}

// queued is an item that the store has, and its number.
type queued struct {
	item
	number int64
}

// destination is what waits for one server.
type destination struct {
	name      string
	waiting   []queued
	ephemeral []EDU         // not in the store
	sending   bool          // somebody takes care of it
	failures  int           // in a row
	wake      chan struct{} // has a token when there is reason not to wait any longer
}

func itemKey(destination string, number int64) string {
	return store.Key(destination, fmt.Sprintf("%020d", number))
}

// loadQueues reads what waits from the store, and goes on to send it.
func (c *Client) loadQueues() (err error) {
	c.destinations, c.began = map[string]*destination{}, time.Now().UnixMilli()
	if c.items, err = store.NewMap[item](c.Store, "outgoing_items"); err != nil {
		return err
	}
	if c.transactions, err = store.NewMap[underWay](c.Store, "outgoing_transactions"); err != nil {
		return err
	}
	c.lifetime, c.end = context.WithCancel(context.Background())
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, kept := range c.items.All() {
		parts := store.Parts(key)
		number, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil {
			return fmt.Errorf("an item for %s: %w", parts[0], err)
		}
		d := c.destination(parts[0])
		d.waiting = append(d.waiting, queued{kept, number})
		c.next = max(c.next, number+1)
	}
	for _, d := range c.destinations {
		c.takeCare(d)
	}
	return nil
}

// Close ends the sending. What waits goes on waiting in the store, which must be open until then.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.sending.Wait()
}

// SendEvent queues an event for servers. It is durable with the transaction, and sent once that is through: it is to be
// called in the Update that keeps the event. It must not be called in one that then fails.
func (c *Client) SendEvent(tx *store.Tx, event []byte, servers []string) {
	c.queue(tx, item{PDU: event}, servers)
}

// SendEDU queues an EDU for servers, as SendEvent does an event: for what must not get lost, such as messages to devices.
func (c *Client) SendEDU(tx *store.Tx, edu EDU, servers []string) {
	c.queue(tx, item{EDU: &edu}, servers)
}

func (c *Client) queue(tx *store.Tx, i item, servers []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, server := range servers {
		if server == c.ServerName {
			continue
		}
		d := c.destination(server)
		d.waiting = append(d.waiting, queued{i, c.next})
		c.items.Put(tx, itemKey(server, c.next), i)
		c.next++
		c.takeCare(d)
	}
}

// SendEphemeral queues an EDU that may get lost: typing, receipts, presence. For a server that cannot be reached, only
// the latest wait.
func (c *Client) SendEphemeral(edu EDU, servers []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, server := range servers {
		if server == c.ServerName {
			continue
		}
		d := c.destination(server)
		d.ephemeral = append(d.ephemeral, edu)
		d.ephemeral = d.ephemeral[max(0, len(d.ephemeral)-maximumEDUs):]
		c.takeCare(d)
	}
}

// Heard tells that a server was heard of: what waits for it is sent at once.
func (c *Client) Heard(server string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.destinations[server]; d != nil && d.failures > 0 {
		d.failures = 0
		select {
		case d.wake <- struct{}{}:
		default: // it has a token
		}
	}
}

// destination returns the queue of a server. The lock is held.
func (c *Client) destination(server string) *destination {
	d := c.destinations[server]
	if d == nil {
		d = &destination{name: server, wake: make(chan struct{}, 1)}
		c.destinations[server] = d
	}
	return d
}

// takeCare sees to it that somebody sends what waits. The lock is held.
func (c *Client) takeCare(d *destination) {
	if d.sending || c.closed {
		return
	}
	d.sending = true
	c.sending.Go(func() { c.sendAll(d) })
}

// The wait after a failure: twice as long each time.
const (
	shortestBackoff = 500 * time.Millisecond
	longestBackoff  = 10 * time.Second
)

// backoff returns how long to wait after that many failures in a row.
func backoff(failures int) time.Duration {
	return min(shortestBackoff<<min(failures-1, 10), longestBackoff)
}

// sleep waits until it is time to try again. It returns false if the client is closed.
func (c *Client) sleep(d *destination) bool {
	c.mu.Lock()
	d.failures++
	timer := time.NewTimer(backoff(d.failures))
	c.mu.Unlock()
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.wake:
	case <-c.lifetime.Done():
		return false
	}
	return true
}
