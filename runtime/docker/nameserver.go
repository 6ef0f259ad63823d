// A name server for the containers, which knows the peers and immediately reports every other name as nonexistent.
//
// Before a homeserver connects to another, it looks up SRV records of that server's name. The engine's own name server knows
// the names of containers and forwards other queries to the machine's; if that one does not answer, each federation request
// takes many seconds. A loopback address as the container's name server does not help: the engine then does not answer at
// all, which takes 10 s in Go programs, and Synapse treats any failure except "no such name" as final.

package docker

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers DNS queries, over UDP and TCP, until it is closed.
type nameServer struct {
	address netip.Addr
	packets net.PacketConn
	streams net.Listener
	peer    map[string]netip.Addr // by lower-case name with the final dot
	group   sync.WaitGroup
}

// serveNames starts the name server if the test process may listen on port 53, which needs privileges on most machines.
// Otherwise the engine queries the machine's name server, as it does for any container.
func (r *Runtime) serveNames() {
	if !r.networks.selfAccess.IsValid() {
		return
	}
	server, err := newNameServer(r.networks.selfAccess, 53, r.networks.self)
	if err == nil {
		r.names = server
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, time.Second)
	defer cancel()
	_, err = net.DefaultResolver.LookupHost(ctx, "no-such-name."+domain)
	if missing := (*net.DNSError)(nil); !errors.As(err, &missing) || !missing.IsNotFound {
		r.options.Warn("this machine's name server does not answer queries for nonexistent names, which may delay servers; " +
			"to avoid it, allow this process to listen on port 53 (sysctl net.ipv4.ip_unprivileged_port_start=53)")
	}
}

// newNameServer listens on address, and resolves each peer's name to the address peers.
func newNameServer(address netip.Addr, port uint16, peers netip.Addr) (*nameServer, error) {
	where := netip.AddrPortFrom(address, port).String()
	packets, err := net.ListenPacket("udp", where)
	if err != nil {
		return nil, err
	}
	streams, err := net.Listen("tcp", where)
	if err != nil {
		return nil, errors.Join(err, packets.Close())
	}
	n := &nameServer{address: address, packets: packets, streams: streams, peer: map[string]netip.Addr{}}
	for i := range peerPool {
		n.peer[peerName(i+1)+"."] = peers
	}
	n.group.Go(n.servePackets)
	n.group.Go(n.serveStreams)
	return n, nil
}

func (n *nameServer) close() {
	_ = n.packets.Close()
	_ = n.streams.Close()
	n.group.Wait()
}

func (n *nameServer) servePackets() {
	buffer := make([]byte, 4096)
	for {
		length, from, err := n.packets.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an earlier reply could not be delivered
		}
		if reply, ok := n.answer(buffer[:length]); ok {
			_, _ = n.packets.WriteTo(reply, from)
		}
	}
}

func (n *nameServer) serveStreams() {
	for {
		connection, err := n.streams.Accept()
		if err != nil {
			return
		}
		n.group.Go(func() {
			defer func() { _ = connection.Close() }()
			_ = connection.SetDeadline(time.Now().Add(5 * time.Second))
			var length [2]byte
			if _, err := io.ReadFull(connection, length[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(connection, query); err != nil {
				return
			}
			if reply, ok := n.answer(query); ok {
				binary.BigEndian.PutUint16(length[:], uint16(len(reply)))
				_, _ = connection.Write(append(length[:], reply...))
			}
		})
	}
}

// answer returns the reply to one query, or false if it is not a query.
func (n *nameServer) answer(query []byte) (reply []byte, ok bool) {
	var parser dnsmessage.Parser
	header, err := parser.Start(query)
	if err != nil || header.Response {
		return nil, false
	}
	question, err := parser.Question()
	if err != nil {
		return nil, false
	}
	address, known := n.peer[strings.ToLower(question.Name.String())]
	answer := dnsmessage.Header{
		ID: header.ID, Response: true, OpCode: header.OpCode, Authoritative: true,
		RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
	}
	if !known {
		answer.RCode = dnsmessage.RCodeNameError
	}
	message := dnsmessage.Message{Header: answer, Questions: []dnsmessage.Question{question}}
	if known && question.Type == dnsmessage.TypeA {
		message.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 1},
			Body:   &dnsmessage.AResource{A: address.As4()},
		}}
	}
	reply, err = message.Pack()
	return reply, err == nil
}
