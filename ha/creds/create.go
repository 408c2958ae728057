package creds

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// DefaultValidity is how long certificates hold if nothing else is asked for: an expired one keeps a
	// standby from taking over, which is worse than one that holds for long.
	DefaultValidity = 10 * 365 * 24 * time.Hour
	// MinValidity leaves time between the alarm ([ExpiryAlarm]) and the end.
	MinValidity = 2 * ExpiryAlarm
	// backdate lets clocks differ.
	backdate = 24 * time.Hour
)

// Plan is what to make for a new cluster.
type Plan struct {
	// Dir takes the files; it is made with mode 0700 if it is missing.
	Dir     string
	Members []string
	// Validity is how long the certificates hold; 0 takes DefaultValidity.
	Validity time.Duration
	// Now is the time they are made; zero takes the clock's.
	Now time.Time
}

func (p *Plan) check() error {
	if len(p.Members) < 2 {
		return fmt.Errorf("a cluster has at least 2 members, not %d", len(p.Members))
	}
	for i, name := range p.Members {
		if err := checkMember(name); err != nil {
			return err
		}
		if slices.Contains(p.Members[:i], name) {
			return fmt.Errorf("member %s is given twice", name)
		}
	}
	return p.checkValidity()
}

func (p *Plan) checkValidity() error {
	if p.Validity == 0 {
		p.Validity = DefaultValidity
	}
	if p.Validity < MinValidity {
		return fmt.Errorf("a validity of %s is too short: there is an alarm %s before the end; give at least %s", p.Validity, ExpiryAlarm, MinValidity)
	}
	if p.Now.IsZero() {
		p.Now = time.Now()
	}
	return nil
}

// checkMember refuses names whose files would be the cluster's own.
func checkMember(name string) error {
	if name == "ca" {
		return errors.New("a member cannot be called ca: its files would be the CA's")
	}
	return CheckName(name)
}

// Create makes a cluster's CA, a certificate and key for each member, and the gossip key. It makes all
// of the files or none, and overwrites nothing ([ErrExists]). It returns the paths it made.
func Create(p Plan) (made []string, err error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	// What is there is found before anything is made: half a cluster helps nobody.
	names := []string{CAFile, CAKeyFile, GossipFile}
	for _, m := range p.Members {
		names = append(names, CertFile(m), KeyFile(m))
	}
	for _, name := range names {
		path := filepath.Join(p.Dir, name)
		if _, err := os.Lstat(path); err == nil {
			return nil, fmt.Errorf("%s %w", path, ErrExists)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	w := writer{dir: p.Dir}
	defer func() {
		if err != nil {
			w.undo()
			made = nil
		}
	}()
	ca, err := newAuthority(&p)
	if err != nil {
		return nil, err
	}
	key, err := encodeKey(ca.key)
	if err != nil {
		return nil, err
	}
	w.write(CAKeyFile, key)
	w.write(CAFile, encodeCert(ca.cert.Raw))
	for _, m := range p.Members {
		w.member(ca, m, p.Now, p.Validity)
	}
	ring, err := NewKeyring()
	if err != nil {
		return nil, err
	}
	w.write(GossipFile, ring.encode())
	return w.made, w.err
}

// Add makes a certificate and key for a further member, with the CA's key in dir.
func Add(p Plan) (made []string, err error) {
	for _, name := range p.Members {
		if err := checkMember(name); err != nil {
			return nil, err
		}
	}
	if err := p.checkValidity(); err != nil {
		return nil, err
	}
	ca, err := loadAuthority(p.Dir, p.Now)
	if err != nil {
		return nil, err
	}
	w := writer{dir: p.Dir}
	for _, name := range p.Members {
		w.member(ca, name, p.Now, p.Validity)
	}
	if w.err != nil {
		w.undo()
		return nil, w.err
	}
	return w.made, nil
}

// Renew puts new certificates in place of the members' old ones. Their keys, and so their pins, stay.
func Renew(p Plan) (made []string, err error) {
	if err := p.checkValidity(); err != nil {
		return nil, err
	}
	ca, err := loadAuthority(p.Dir, p.Now)
	if err != nil {
		return nil, err
	}
	for _, name := range p.Members {
		path := filepath.Join(p.Dir, CertFile(name))
		old, err := readCert(path)
		if err != nil {
			return made, fmt.Errorf("read certificate: %w", err)
		}
		der, err := ca.issue(name, old.PublicKey, p.Now, p.Validity)
		if err != nil {
			return made, err
		}
		if err := replace(path, encodeCert(der)); err != nil {
			return made, fmt.Errorf("write certificate: %w", err)
		}
		made = append(made, path)
	}
	return made, nil
}

// writer makes files until the first error.
type writer struct {
	dir  string
	made []string
	err  error
}

func (w *writer) write(name string, data []byte) {
	if w.err != nil {
		return
	}
	path := filepath.Join(w.dir, name)
	if w.err = writeNew(path, data); w.err == nil {
		w.made = append(w.made, path)
	}
}

func (w *writer) member(ca *authority, name string, now time.Time, validity time.Duration) {
	if w.err != nil {
		return
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		w.err = fmt.Errorf("make key: %w", err)
		return
	}
	text, err := encodeKey(key)
	if err != nil {
		w.err = err
		return
	}
	der, err := ca.issue(name, pub, now, validity)
	if err != nil {
		w.err = err
		return
	}
	w.write(KeyFile(name), text)
	w.write(CertFile(name), encodeCert(der))
}

// undo removes what was made.
func (w *writer) undo() {
	for _, path := range w.made {
		_ = os.Remove(path)
	}
}

// authority is a cluster's CA with its key.
type authority struct {
	cert *x509.Certificate
	key  ed25519.PrivateKey
}

func newAuthority(p *Plan) (*authority, error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	number := serial()
	template := x509.Certificate{
		SerialNumber: number,
		// Two clusters' CAs are told apart in messages.
		Subject:   pkix.Name{CommonName: "bprelay cluster " + hex.EncodeToString(number.Bytes())[:8]},
		NotBefore: p.Now.Add(-backdate), NotAfter: p.Now.Add(p.Validity),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, pub, key)
	if err != nil {
		return nil, fmt.Errorf("make CA certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

// loadAuthority reads the CA of a cluster's directory, with the key.
func loadAuthority(dir string, now time.Time) (*authority, error) {
	if _, err := readSecret(filepath.Join(dir, CAKeyFile)); err != nil {
		return nil, fmt.Errorf("read the CA's key: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, CAFile), filepath.Join(dir, CAKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read the CA: %w", err)
	}
	key, ok := pair.PrivateKey.(ed25519.PrivateKey)
	switch {
	case !ok || !pair.Leaf.IsCA:
		return nil, fmt.Errorf("%s is not a cluster's CA", filepath.Join(dir, CAFile))
	case now.After(pair.Leaf.NotAfter):
		return nil, fmt.Errorf("%s expired on %s: make a new cluster directory", filepath.Join(dir, CAFile), pair.Leaf.NotAfter.Format(time.DateOnly))
	}
	return &authority{pair.Leaf, key}, nil
}

// issue makes a member's certificate. It never outlives the CA's.
func (a *authority) issue(name string, key crypto.PublicKey, now time.Time, validity time.Duration) ([]byte, error) {
	template := x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{name}, URIs: []*url.URL{memberURI(name)},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(validity),
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("make certificate of %s: %w", name, err)
	}
	return der, nil
}

// serial is a random number of 126 bits.
func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails, by its documentation
	b[0] = b[0]&0x3f | 0x40
	return new(big.Int).SetBytes(b)
}
