package outgoing

// This file has the queues of events and EDUs for other servers, which are sent in order until they are accepted
// (server-server API, "Transactions").

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

// EDU is an ephemeral data unit for another server.
type EDU struct {
	Type    string          `json:"edu_type"`
	Content json.RawMessage `json:"content"`
}

// queues has one queue for each destination.
type queues struct {
	items        *store.Map[item]     // by destination and number
	transactions *store.Map[underWay] // by destination
	lifetime     context.Context
	end          context.CancelFunc
	sending      sync.WaitGroup
	began        int64 // part of transaction IDs, so that they are unique across restarts

	mu           sync.Mutex
	destinations map[string]*destination
	next         int64 // number of the next item
	formed       int64 // number of transactions
	closed       bool
}

// item is one queued event or EDU.
type item struct {
	PDU json.RawMessage `json:"pdu,omitempty"`
	EDU *EDU            `json:"edu,omitempty"`
}

// queued is a stored item and its number.
type queued struct {
	item
	number int64
}

// destination is the queue of one server.
type destination struct {
	name      string
	waiting   []queued
	ephemeral []EDU         // not in the store
	sending   bool          // a goroutine is sending
	failures  int           // in a row
	wake      chan struct{} // has a token if the wait should end
}

func itemKey(destination string, number int64) string {
	return store.Key(destination, fmt.Sprintf("%020d", number))
}

// loadQueues loads the queues from the store, and starts to send them.
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

// Close stops the sending. Queued items stay in the store, which must be open until Close returns.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.sending.Wait()
}

// SendEvent queues an event for servers. It must be called in the Update that stores the event: the queue is durable
// with the transaction, and sending starts after it. The Update must not fail afterwards.
func (c *Client) SendEvent(tx *store.Tx, event []byte, servers []string) {
	c.queue(tx, item{PDU: event}, servers)
}

// SendEDU queues an EDU for servers like SendEvent: for EDUs that must not be lost, such as to-device messages.
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

// SendEphemeral queues an EDU that may be lost: typing, receipts, presence. For an unreachable server only the latest
// are kept.
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

// Heard records that a server was heard from: its queue is sent at once.
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

// destination returns the queue of a server. The lock must be held.
func (c *Client) destination(server string) *destination {
	d := c.destinations[server]
	if d == nil {
		d = &destination{name: server, wake: make(chan struct{}, 1)}
		c.destinations[server] = d
	}
	return d
}

// takeCare ensures that a goroutine is sending the queue. The lock must be held.
func (c *Client) takeCare(d *destination) {
	if d.sending || c.closed {
		return
	}
	d.sending = true
	c.sending.Go(func() { c.sendAll(d) })
}

// The wait after a failure, which doubles each time.
const (
	shortestBackoff = 500 * time.Millisecond
	longestBackoff  = 10 * time.Second
)

// backoff returns the wait after that many consecutive failures.
func backoff(failures int) time.Duration {
	return min(shortestBackoff<<min(failures-1, 10), longestBackoff)
}

// sleep waits until the next attempt. It returns false if the client is closed.
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
