package federation

// Listeners: one for each address, shared by its peers. A request is for the peer that the SNI names or, without SNI (IP addresses),
// for the one that the Host header names.

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"msc4014/runtime"
)

type listener struct {
	sw     *Switchboard
	server *http.Server

	mu           sync.RWMutex
	peers        map[string]*Peer            // by server name
	hosts        map[string]*Peer            // by server name in lower case, without port
	certificates map[string]*tls.Certificate // by host; "" for connections without SNI
}

// listen starts a listener at an address, on its socket if it has one. The caller holds sw.mu.
func (sw *Switchboard) listen(address runtime.PeerAddress) (*listener, error) {
	socket := address.Socket
	if socket == nil {
		var err error
		if socket, err = net.Listen("tcp", address.Listen); err != nil {
			return nil, err
		}
	}
	l := &listener{
		sw:           sw,
		peers:        map[string]*Peer{},
		hosts:        map[string]*Peer{},
		certificates: map[string]*tls.Certificate{},
	}
	// Like Synapse. Many servers open a connection for each request, which costs both sides more with HTTP/2.
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	l.server = &http.Server{
		Handler:           l,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       90 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
		Protocols:         protocols,
		TLSConfig: &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: l.certificate,
		},
	}
	sw.background.Add(1)
	go func() {
		defer sw.background.Done()
		_ = l.server.ServeTLS(reachedListener{socket, sw}, "", "") // it ends when the listener is closed
	}()
	return l, nil
}

// reachedListener sets sw.reached when it accepts a connection.
type reachedListener struct {
	net.Listener
	sw *Switchboard
}

func (n reachedListener) Accept() (net.Conn, error) {
	connection, err := n.Listener.Accept()
	if err == nil {
		n.sw.reached.Store(true)
	}
	return connection, err
}

func (l *listener) add(peer *Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.peers[peer.name] = peer
	l.hosts[hostOf(peer.name)] = peer
	delete(l.certificates, "") // it must name the new peer, too
}

// certificate returns the certificate of the peer that the SNI names; without SNI, one for all peers of this listener.
func (l *listener) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	host := strings.ToLower(hello.ServerName)
	var names []string
	if l.hosts[host] != nil {
		names = []string{host}
	} else {
		host = ""
		for name := range l.hosts {
			names = append(names, name)
		}
	}
	if known := l.certificates[host]; known != nil {
		return known, nil
	}
	made, err := l.sw.options.Issue(names...)
	if err != nil {
		return nil, err
	}
	l.certificates[host] = &made
	return &made, nil
}

// ServeHTTP passes the request to its peer.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	peer := l.find(r)
	if peer == nil {
		http.Error(w, `{"errcode":"M_NOT_FOUND","error":"no such server here"}`, http.StatusMisdirectedRequest)
		return
	}
	peer.serve(w, r)
}

func (l *listener) find(r *http.Request) *Peer {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if r.TLS != nil && r.TLS.ServerName != "" {
		if peer := l.hosts[strings.ToLower(r.TLS.ServerName)]; peer != nil {
			return peer
		}
	}
	if peer := l.peers[r.Host]; peer != nil {
		return peer
	}
	return l.hosts[hostOf(r.Host)]
}

// hostOf returns a server name without its port and brackets, in lower case.
func hostOf(serverName string) string {
	host := serverName
	if split, _, err := net.SplitHostPort(serverName); err == nil {
		host = split
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}
