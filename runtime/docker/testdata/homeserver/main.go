// Homeserver implements just enough of the image contract to test the docker runtime, and fails in the way selected by the
// variable MODE: "exit" (exits immediately with status 3), "done" (the same with status 0), "silent" (never listens),
// "redirecting" (redirects /versions to the URL in REDIRECT), "clients-only" (no federation port), "late" (opens its
// federation port at its fifth response to /versions), "unhealthy" (its health check fails). With the argument "check" it is
// the health check of such a server in the same container; with the argument "client" it is a client, which gets the paths that it
// reads from the server in HOMESERVER.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"msc4014/runtime/authority"
)

func client() {
	fmt.Fprintln(os.Stderr, "a client of", os.Getenv("HOMESERVER"))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		response, err := http.Get(os.Getenv("HOMESERVER") + lines.Text())
		if err != nil {
			fmt.Println(err)
			continue
		}
		_, _ = io.Copy(os.Stdout, response.Body)
		_ = response.Body.Close()
		fmt.Println()
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "check" {
		if os.Getenv("MODE") == "unhealthy" {
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "client" {
		client()
		return
	}
	fmt.Println("starting as", os.Getenv("SERVER_NAME"))
	mode := os.Getenv("MODE")
	switch mode {
	case "exit":
		fmt.Fprintln(os.Stderr, "exiting because of MODE")
		os.Exit(3)
	case "done":
		return
	}
	answer := func(w http.ResponseWriter, value any, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, value)
	}
	var answers atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/_matrix/client/versions", func(w http.ResponseWriter, r *http.Request) {
		if mode == "redirecting" {
			http.Redirect(w, r, os.Getenv("REDIRECT"), http.StatusFound)
			return
		}
		fmt.Fprint(w, `{"versions":["v1.11"]}`)
		if mode == "late" && answers.Add(1) == 5 {
			go federate(mux)
		}
	})
	mux.HandleFunc("/greedy", func(http.ResponseWriter, *http.Request) {
		for all := [][]byte(nil); ; {
			all = append(all, bytes.Repeat([]byte{1}, 8<<20))
		}
	})
	mux.HandleFunc("/exit", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
	mux.HandleFunc("/environment", func(w http.ResponseWriter, r *http.Request) {
		answer(w, os.Getenv(r.URL.Query().Get("name")), nil)
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		data, err := os.ReadFile(r.URL.Query().Get("path"))
		answer(w, string(data), err)
	})
	mux.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		answer(w, "", os.WriteFile(r.URL.Query().Get("path"), []byte(r.URL.Query().Get("text")), 0o600))
	})
	mux.HandleFunc("/say", func(w http.ResponseWriter, r *http.Request) {
		count, _ := strconv.Atoi(r.URL.Query().Get("lines"))
		for i := range count {
			fmt.Println("line", i+1)
		}
	})
	mux.HandleFunc("/lookup", func(w http.ResponseWriter, r *http.Request) {
		addresses, err := net.DefaultResolver.LookupHost(r.Context(), r.URL.Query().Get("name"))
		answer(w, addresses, err)
	})
	mux.HandleFunc("/service", func(w http.ResponseWriter, r *http.Request) {
		_, records, err := net.DefaultResolver.LookupSRV(r.Context(), "matrix-fed", "tcp", r.URL.Query().Get("name"))
		answer(w, len(records), err)
	})
	mux.HandleFunc("/dial", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", r.URL.Query().Get("address"))
		if err == nil {
			_ = connection.Close()
		}
		answer(w, "connected", err)
	})
	if mode != "silent" {
		if mode != "late" && mode != "clients-only" {
			go federate(mux)
		}
		go func() { panic(http.ListenAndServe(":8008", mux)) }()
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	<-ended
	fmt.Println("exiting on a signal")
}

// federate serves the federation port, with a certificate signed by the run's authority.
func federate(handler http.Handler) {
	issuer, err := authority.Load("/complement/ca")
	if err != nil {
		panic(err)
	}
	certificate, err := issuer.Issue(os.Getenv("SERVER_NAME"))
	if err != nil {
		panic(err)
	}
	server := http.Server{Addr: ":8448", Handler: handler, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	panic(server.ListenAndServeTLS("", ""))
}
