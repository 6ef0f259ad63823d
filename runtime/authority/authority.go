// Package authority is the certificate authority of a run, the only one that servers trust. It signs the TLS certificates
// of the peers; candidates' entry points sign their own with its key, in /complement/ca.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // #nosec G505 -- names a key (RFC 5280, 4.2.1.2), protects nothing
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Names of the authority's files in its folder, as required by Complement's image contract.
const (
	CertificateFile = "ca.crt"
	KeyFile         = "ca.key"
)

// Certificates are valid longer than any run, and from the past, as the clocks of containers and host may differ.
const (
	backdate = 24 * time.Hour
	validity = 365 * 24 * time.Hour
)

// Authority signs certificates. It is safe for use by several goroutines.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	dir         string
}

// New loads the authority in dir, or creates one if dir has none. The key is an RSA key in PKCS#1 PEM, because images that
// follow Complement's contract expect that.
func New(dir string) (*Authority, error) {
	loaded, err := Load(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return loaded, err
	}
	if err := create(dir); err != nil {
		return nil, fmt.Errorf("cannot create a certificate authority in %s: %w", dir, err)
	}
	return Load(dir)
}

// Load reads ca.crt and ca.key in dir. The error wraps fs.ErrNotExist if one of them is missing.
func Load(dir string) (*Authority, error) {
	certificatePEM, err := os.ReadFile(filepath.Join(dir, CertificateFile))
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	keyPEM, err := os.ReadFile(filepath.Join(dir, KeyFile))
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	certificate, err := parseCertificate(certificatePEM)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %s: %w", filepath.Join(dir, CertificateFile), err)
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %s: %w", filepath.Join(dir, KeyFile), err)
	}
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(certificate.PublicKey) {
		return nil, fmt.Errorf("certificate authority: %s and %s in %s do not belong together", CertificateFile, KeyFile, dir)
	}
	return &Authority{certificate: certificate, key: key, dir: dir}, nil
}

// Dir returns the folder with ca.crt and ca.key, which is mounted at /complement/ca.
func (a *Authority) Dir() string { return a.dir }

// Pool returns a pool that contains only this authority.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// Issue returns a new TLS certificate for DNS names and IP addresses, signed by the authority.
func (a *Authority) Issue(names ...string) (tls.Certificate, error) {
	if len(names) == 0 {
		return tls.Certificate{}, errors.New("certificate authority: a certificate needs a name")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate authority: %w", err)
	}
	template, err := newTemplate(names[0])
	if err != nil {
		return tls.Certificate{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate authority: cannot sign a certificate for %q: %w", names, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate authority: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// IssueFiles is like Issue, but writes two PEM files (the key readable only by its owner).
func (a *Authority) IssueFiles(certificatePath, keyPath string, names ...string) error {
	certificate, err := a.Issue(names...)
	if err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		return fmt.Errorf("certificate authority: %w", err)
	}
	if err := writePEM(keyPath, 0o600, "PRIVATE KEY", key); err != nil {
		return err
	}
	return writePEM(certificatePath, 0o644, "CERTIFICATE", certificate.Certificate[0])
}

func create(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	template, err := newTemplate("MSC4014 conformance suite")
	if err != nil {
		return err
	}
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	identifier := sha1.Sum(x509.MarshalPKCS1PublicKey(&key.PublicKey)) // #nosec G401
	template.SubjectKeyId = identifier[:]
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	// 0644, because a candidate in a container may run as another user, and must read the key to sign its certificate.
	if err := writePEM(filepath.Join(dir, KeyFile), 0o644, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)); err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, CertificateFile), 0o644, "CERTIFICATE", der)
}

func newTemplate(commonName string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	if len(commonName) > 64 { // the upper bound of X.520; clients check only the alternative names
		commonName = commonName[:64]
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(validity),
		BasicConstraintsValid: true,
	}, nil
}

func parseCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no PEM block CERTIFICATE found")
	}
	return x509.ParseCertificate(block.Bytes)
}

// parseKey accepts PKCS#1 (Complement's), PKCS#8 and SEC 1.
func parseKey(data []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM block with a private key found")
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
		return nil, fmt.Errorf("a %T cannot sign", key)
	}
	return nil, fmt.Errorf("PEM of type %q is not a private key", block.Type)
}

// writePEM writes to a temporary file and renames it, so that no process reads an incomplete key.
func writePEM(path string, mode fs.FileMode, kind string, der []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // after the rename there is nothing to remove
	err = errors.Join(
		pem.Encode(file, &pem.Block{Type: kind, Bytes: der}),
		file.Chmod(mode),
		file.Close(),
	)
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
