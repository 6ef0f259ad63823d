package runtime

import (
	"context"
	"io"
)

// HomeserverVariable is the environment variable that tells client software the base URL of its server's client-server API.
const HomeserverVariable = "HOMESERVER"

// Hosting is a Runtime that can run real client software beside the servers.
type Hosting interface {
	// HasClients reports whether the run has an image of real clients.
	HasClients() bool
	// StartClient starts a program of that image as a client of a server.
	StartClient(ctx context.Context, server Server, program ...string) (Client, error)
}

// Client is running client software. It reads commands from its standard input, and answers on its standard output.
type Client interface {
	// Writer is its standard input.
	io.Writer
	// Reader is its standard output, which ends when it does.
	io.Reader
	// Log returns the end of what it wrote to its standard error.
	Log() string
	// Close ends and removes it.
	Close(ctx context.Context) error
}
