package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNewCreatesAndThenLoads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	first, err := New(dir)
	require.NoError(t, err)
	again, err := New(dir)
	require.NoError(t, err)
	assert.True(t, first.certificate.Equal(again.certificate))

	data, err := os.ReadFile(filepath.Join(dir, KeyFile))
	require.NoError(t, err)
	block, rest := pem.Decode(data)
	require.NotNil(t, block)
	assert.Empty(t, rest)
	assert.Equal(t, "RSA PRIVATE KEY", block.Type, "images that follow Complement's contract expect PKCS#1")
}

func TestIssuedCertificatesAreTrustedOnlyForTheirNames(t *testing.T) {
	authority, err := New(t.TempDir())
	require.NoError(t, err)
	certificate, err := authority.Issue("hs1", "127.77.0.1", "::1")
	require.NoError(t, err)

	client, server := net.Pipe()
	go func() { _ = tls.Server(server, &tls.Config{Certificates: []tls.Certificate{certificate}}).Handshake() }()
	assert.NoError(t, tls.Client(client, &tls.Config{RootCAs: authority.Pool(), ServerName: "127.77.0.1"}).Handshake())

	for name, good := range map[string]bool{"hs1": true, "127.77.0.1": true, "::1": true, "hs2": false, "127.77.0.2": false} {
		_, err := certificate.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: authority.Pool()})
		assert.Equal(t, good, err == nil, "%s: %v", name, err)
	}
	other, err := New(t.TempDir())
	require.NoError(t, err)
	_, err = certificate.Leaf.Verify(x509.VerifyOptions{DNSName: "hs1", Roots: other.Pool()})
	assert.Error(t, err)
	_, err = authority.Issue()
	assert.ErrorContains(t, err, "needs a name")
}

func TestIssueFiles(t *testing.T) {
	dir := t.TempDir()
	authority, err := New(dir)
	require.NoError(t, err)
	certificatePath, keyPath := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	require.NoError(t, authority.IssueFiles(certificatePath, keyPath, "hs1"))
	_, err = tls.LoadX509KeyPair(certificatePath, keyPath)
	require.NoError(t, err)
	info, err := os.Stat(keyPath)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	leftovers, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	assert.Empty(t, leftovers)
}

func TestLoadAcceptsOtherKeyFormats(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(ecdsaKey)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		key  crypto.Signer
		kind string
		der  []byte
	}{
		"RSA in PKCS#8":   {rsaKey, "PRIVATE KEY", mustPKCS8(t, rsaKey)},
		"ECDSA in PKCS#8": {ecdsaKey, "PRIVATE KEY", mustPKCS8(t, ecdsaKey)},
		"ECDSA in SEC 1":  {ecdsaKey, "EC PRIVATE KEY", sec1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			template, err := newTemplate(name)
			require.NoError(t, err)
			template.IsCA = true
			certificate, err := x509.CreateCertificate(rand.Reader, template, template, c.key.Public(), c.key)
			require.NoError(t, err)
			require.NoError(t, writePEM(filepath.Join(dir, CertificateFile), 0o600, "CERTIFICATE", certificate))
			require.NoError(t, writePEM(filepath.Join(dir, KeyFile), 0o600, c.kind, c.der))
			authority, err := Load(dir)
			require.NoError(t, err)
			_, err = authority.Issue("hs1")
			assert.NoError(t, err)
		})
	}
}

func mustPKCS8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return der
}

func TestLoadRefuses(t *testing.T) {
	good := t.TempDir()
	_, err := New(good)
	require.NoError(t, err)
	other := t.TempDir()
	_, err = New(other)
	require.NoError(t, err)

	_, err = Load(t.TempDir())
	assert.ErrorIs(t, err, fs.ErrNotExist)

	cases := map[string]struct {
		file string
		data []byte
		want string
	}{
		"no PEM":            {CertificateFile, []byte("hello"), "no PEM block CERTIFICATE"},
		"no key":            {KeyFile, []byte("hello"), "no PEM block with a private key"},
		"another kind":      {KeyFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE"}), "not a private key"},
		"another authority": {KeyFile, mustRead(t, filepath.Join(other, KeyFile)), "do not belong together"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range []string{CertificateFile, KeyFile} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), mustRead(t, filepath.Join(good, file)), 0o600))
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, c.file), c.data, 0o600))
			_, err := New(dir)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}
