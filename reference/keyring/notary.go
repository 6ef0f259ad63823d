package keyring

// This file answers for other servers, as a notary (server-server API, "Querying keys through another server").

import (
	"context"
	"fmt"
	"sync"

	"msc4014/helpers/pseudoid"
)

// maximumQueried bounds how many servers one query may name, and atOnce how many of them are asked at the same time.
const (
	maximumQueried = 100
	atOnce         = 10
)

// Queried is what is asked of one server: until when each key should be valid, in milliseconds. No keys means all of
// them, 0 means now.
type Queried map[string]int64

// Query returns the key documents of servers, by name, signed by the notary too. Servers whose keys cannot be had are
// left out; a document that is not as new as it was asked for is better than none.
func (k *Keyring) Query(ctx context.Context, servers map[string]Queried) (documents [][]byte, err error) {
	if len(servers) > maximumQueried {
		return nil, fmt.Errorf("the keys of %d servers were asked for, at most %d are looked for at once", len(servers), maximumQueried)
	}
	var (
		mu    sync.Mutex
		all   sync.WaitGroup
		slots = make(chan struct{}, atOnce)
	)
	for name, queried := range servers {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if document := k.notarised(ctx, name, queried); document != nil {
				mu.Lock()
				defer mu.Unlock()
				documents = append(documents, document)
			}
		})
	}
	all.Wait()
	return documents, nil
}

// notarised returns the document of a server, nil if there is none.
func (k *Keyring) notarised(ctx context.Context, name string, queried Queried) []byte {
	if name == k.serverName {
		document, err := k.OwnDocument()
		if err != nil {
			return nil
		}
		return document
	}
	known, _ := k.document(ctx, name, func(d *document) bool { return d.satisfies(queried, k.now().UnixMilli()) })
	if known == nil {
		return nil
	}
	signed, err := pseudoid.SignJSON(known.raw, k.own.Name, k.own.KeyID, k.own.Key)
	if err != nil {
		return nil
	}
	return signed
}

// satisfies tells whether a document has all that is asked for.
func (d *document) satisfies(queried Queried, now int64) bool {
	if len(queried) == 0 {
		return d.validUntil >= now
	}
	for keyID, until := range queried {
		if until == 0 {
			until = now
		}
		if !d.hasUntil(keyID, until) {
			return false
		}
	}
	return true
}
