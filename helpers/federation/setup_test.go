package federation

// Shared test helpers: an authority, a switchboard whose peers share one listener, and a transcript.

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/runtime"
)

// testAuthority issues certificates for the tests.
type testAuthority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newAuthority(t *testing.T) *testAuthority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return &testAuthority{certificate, key, pool}
}

func (a *testAuthority) issue(names ...string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, err
}

// transcriptLog is a sink that keeps exchanges.
type transcriptLog struct {
	mu        sync.Mutex
	exchanges []transcript.Exchange
}

func (l *transcriptLog) Record(e transcript.Exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.exchanges = append(l.exchanges, e)
}

func (l *transcriptLog) all() []transcript.Exchange {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]transcript.Exchange(nil), l.exchanges...)
}

// newSwitchboard returns a switchboard with peers named peer1.test, peer2.test and so on, on one listener.
func newSwitchboard(t *testing.T, change ...func(*Options)) *Switchboard {
	t.Helper()
	authority := newAuthority(t)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = socket.Close() }) // if no peer was started
	var mu sync.Mutex
	count := 0
	options := Options{
		NewPeer: func() (runtime.PeerAddress, error) {
			mu.Lock()
			defer mu.Unlock()
			count++
			address := runtime.PeerAddress{Name: fmt.Sprintf("peer%d.test", count), Listen: socket.Addr().String()}
			if count == 1 {
				address.Socket = socket
			}
			return address, nil
		},
		Issue: authority.issue, RootCAs: authority.pool,
	}
	for _, each := range change {
		each(&options)
	}
	sw := New(options)
	t.Cleanup(func() { require.NoError(t, sw.Close()) })
	return sw
}

func newTestPeer(t *testing.T, sw *Switchboard) (*Peer, *transcriptLog) {
	t.Helper()
	log := &transcriptLog{}
	peer, err := sw.NewPeer(log)
	require.NoError(t, err)
	return peer, log
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

var elevenBare = pseudoid.Format{
	RoomVersion: pseudoid.RoomVersion, Base: "11", Dialect: pseudoid.DialectMSC4014, Pseudonymous: true, InviteByEventID: true,
}

var allFormats = map[string]pseudoid.Format{
	"11, bare signatures, invites by event ID": elevenBare,
	"dendrite": pseudoid.FormatDendrite, "msc4014": pseudoid.FormatMSC4014, "letter": pseudoid.FormatMSC4014Letter,
	"v10": pseudoid.FormatV10, "v11": pseudoid.FormatV11,
}
