// A server with just enough of the image contract to test the docker runtime, and with ways to go wrong, chosen by the
// variable MODE: "exit" (at once, status 3), "silent" (never listens), "unready" (answers /versions with 503),
// "unhealthy" (its check fails). With the argument "check" it is the check of such a server in the same container.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "check" {
		if os.Getenv("MODE") == "unhealthy" {
			os.Exit(1)
		}
		return
	}
	fmt.Println("starting as", os.Getenv("SERVER_NAME"))
	mode := os.Getenv("MODE")
	if mode == "exit" {
		fmt.Fprintln(os.Stderr, "cannot start: told so")
		os.Exit(3)
	}
	answer := func(w http.ResponseWriter, value any, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, value)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/_matrix/client/versions", func(w http.ResponseWriter, r *http.Request) {
		if mode == "unready" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"versions":["v1.11"]}`)
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
	addresses := []string{":8448", ":8008"}
	if mode == "silent" {
		addresses = nil
	}
	for _, address := range addresses {
		go func() { panic(http.ListenAndServe(address, mux)) }()
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	<-ended
	fmt.Println("ending as asked")
}
