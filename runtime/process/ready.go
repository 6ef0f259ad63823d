// When a server that was started is ready.

package process

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// pollInterval is how often a server that starts is asked.
const pollInterval = 20 * time.Millisecond

// waitUntilReady waits until the server answers GET /_matrix/client/versions, and TLS on its federation port. It returns
// "" when it does, else what was the matter.
func (s *server) waitUntilReady(ctx context.Context, life *life) (cause string) {
	timeout := s.runtime.options.SpawnTimeout
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	go func() { // a server that ends while a request waits for it ends the request, too
		select {
		case <-life.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	last := "nothing listened"
	for {
		problem := s.probe(ctx, client)
		if life.hasEnded() {
			return life.status
		}
		if problem == "" {
			return ""
		}
		if ctx.Err() == nil {
			last = problem
		}
		select {
		case <-ticker.C:
		case <-life.ended:
			return life.status
		case <-ctx.Done():
			if ctx.Err() == context.DeadlineExceeded {
				return fmt.Sprintf("did not become ready within %s: %s", timeout, last)
			}
			select {
			case <-life.ended:
				return life.status
			default:
				return "was not waited for to become ready: " + last
			}
		}
	}
}

// probe asks once; "" means ready.
func (s *server) probe(ctx context.Context, client *http.Client) (problem string) {
	const path = "/_matrix/client/versions"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ClientURL()+path, nil)
	if err != nil {
		return err.Error()
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Sprintf("GET %s got no answer: %s", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Sprintf("GET %s was answered with status %d", path, response.StatusCode)
	}
	// A whole handshake, or the server's log would complain of us.
	federation := tls.Dialer{Config: &tls.Config{RootCAs: s.runtime.options.Authority.Pool(), ServerName: s.address}}
	connection, err := federation.DialContext(ctx, "tcp4", s.FederationAddress())
	if err != nil {
		return fmt.Sprintf("no TLS connection to its federation port: %s", err)
	}
	_ = connection.Close()
	return ""
}

// readFrom reads a file from an offset; what cannot be read is empty.
func readFrom(path string, offset int64) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	data, _ := io.ReadAll(io.NewSectionReader(file, offset, 1<<62-offset))
	return string(data)
}
