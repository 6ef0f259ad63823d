// Starting, running and stopping the server.

package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"msc4014/dockerfiles/internal/contract"
	"msc4014/reference/appservice"
	"msc4014/reference/choice"
	"msc4014/reference/homeserver"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

// Bounds on the HTTP servers.
const (
	headerTimeout = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	endTimeout    = 5 * time.Second // for requests in progress when the server stops
)

// serve runs the homeserver until ctx ends. It returns an error if the server could not start or had to stop.
func serve(ctx context.Context, settings contract.Settings, decided choice.Decided, stderr io.Writer) (err error) {
	issuer, err := settings.Authority()
	if err != nil {
		return err
	}
	certificate, err := issuer.Issue(settings.CertificateNames()...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(settings.DataDir, 0o755); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := writeConfiguration(settings, decided); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	handler := slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: logLevel(settings.LogLevel)})
	log := slog.New(handler)
	var services []*appservice.Registration
	for _, path := range settings.Registrations {
		service, err := appservice.Load(path)
		if err != nil {
			return err
		}
		services = append(services, service)
	}
	home, err := homeserver.New(homeserver.Config{
		ServerName: settings.ServerName, DataDir: settings.DataDir, Dialect: decided.Dialect, Readings: decided.Readings,
		RootCAs: issuer.Pool(), Log: log, Services: services,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, home.Close()) }()

	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	server := func(handler http.Handler) *http.Server {
		return &http.Server{
			Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
			BaseContext: func(net.Listener) context.Context { return serving }, // cancels waiting requests
			ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),     // clients that hang up, foreign certificates
		}
	}
	clients, peers := server(home.ClientHandler()), server(home.FederationHandler())
	peers.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	clientListener, err := net.Listen("tcp", settings.HTTPAddress)
	if err != nil {
		return fmt.Errorf("the client API cannot listen: %w", err)
	}
	defer func() { _ = clientListener.Close() }()
	peerListener, err := net.Listen("tcp", settings.HTTPSAddress)
	if err != nil {
		return fmt.Errorf("the federation API cannot listen: %w", err)
	}
	defer func() { _ = peerListener.Close() }()

	failed := make(chan error, 2)
	go func() { failed <- clients.Serve(clientListener) }()
	go func() { failed <- peers.ServeTLS(peerListener, "", "") }()
	log.Info("serving", "name", settings.ServerName, "dialect", decided.Dialect,
		"clients", clientListener.Addr(), "federation", peerListener.Addr())
	select {
	case <-ctx.Done():
		log.Info("stopping on a signal")
	case err = <-failed:
	}
	end()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	for _, server := range []*http.Server{clients, peers} {
		if server.Shutdown(ending) != nil {
			_ = server.Close() // closes the remaining connections
		}
	}
	return err
}

// configurationFile is the name of the file in the data folder. It is also in the image's label.
const configurationFile = "reference.json"

// configuration is the server's effective configuration, for readers of the results.
type configuration struct {
	ServerName string                       `json:"server_name"`
	Dialect    pdu.Dialect                  `json:"dialect"`
	Readings   map[string]pseudonym.Reading `json:"readings"` // by requirement
}

// writeConfiguration writes the effective configuration.
func writeConfiguration(settings contract.Settings, decided choice.Decided) error {
	effective := configuration{
		ServerName: settings.ServerName, Dialect: decided.Dialect, Readings: map[string]pseudonym.Reading{},
	}
	for _, offer := range pseudonym.Offers() {
		effective.Readings[offer.Requirement], _ = decided.Readings.Get(offer.Requirement)
	}
	text, err := json.MarshalIndent(effective, "", "  ")
	if err != nil {
		return err
	}
	return contract.WriteWhole(filepath.Join(settings.DataDir, configurationFile), append(text, '\n'))
}

// logLevel returns slog's level for a name. The level trace is below debug.
func logLevel(name string) slog.Level {
	if name == "trace" {
		return slog.LevelDebug - 4
	}
	var level slog.Level
	_ = level.UnmarshalText([]byte(name)) // contract.Read rejects other names
	return level
}
