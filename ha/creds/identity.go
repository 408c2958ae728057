package creds

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

var (
	// ErrStranger means that a certificate belongs to nobody of the cluster.
	ErrStranger = errors.New("not a member of this cluster")
	// ErrExpired means that a certificate's time is over, or has not come.
	ErrExpired = errors.New("certificate is not valid now")
)

// Options say where a member's credentials are.
type Options struct {
	// Name is this member's, Members are all of them, this one included.
	Name    string
	Members []string
	// CA, Cert and Key are the paths of PEM files. CA is empty if there are Pins.
	CA, Cert, Key string
	// Pins are instead of the CA: the key of every member.
	Pins map[string]Pin
}

// Identity is one member's credentials, with what it needs to know the others. It is safe for use by many; what
// [Identity.Reload] reads counts from the next connection on.
type Identity struct {
	name    string
	members []string
	pins    map[string]Pin
	files   Options
	held    atomic.Pointer[material]
}

// material is what the files hold.
type material struct {
	cert  tls.Certificate
	ca    *x509.Certificate // nil: pins
	roots *x509.CertPool
}

// Load reads a member's credentials and makes sure that the others will accept them. Errors name the
// file and what to do.
func Load(o Options) (*Identity, error) {
	i := &Identity{name: o.Name, members: slices.Clone(o.Members), pins: o.Pins, files: o}
	switch {
	case !slices.Contains(o.Members, o.Name):
		return nil, fmt.Errorf("%q is not among the members %q", o.Name, o.Members)
	case (o.CA == "") == (len(o.Pins) == 0):
		return nil, errors.New("give a CA or pins, one of the two")
	}
	for _, m := range o.Members {
		if _, pinned := o.Pins[m]; len(o.Pins) > 0 && !pinned {
			return nil, fmt.Errorf("there is no pin for member %s: give one for each", m)
		}
	}
	for m := range o.Pins {
		if !slices.Contains(o.Members, m) {
			return nil, fmt.Errorf("there is a pin for %s, which is no member", m)
		}
	}
	m, err := i.read()
	if err != nil {
		return nil, err
	}
	i.held.Store(m)
	return i, nil
}

// Reload reads the files again and tells whether they hold something else than before. After an error, which is as
// Load's, everything is as it was: a file may be half written.
func (i *Identity) Reload() (changed bool, err error) {
	m, err := i.read()
	if err != nil {
		return false, err
	}
	old := i.held.Load()
	if bytes.Equal(m.cert.Leaf.Raw, old.cert.Leaf.Raw) && (m.ca == nil || m.ca.Equal(old.ca)) {
		return false, nil
	}
	i.held.Store(m)
	return true, nil
}

// read reads the files, and makes sure that they are this member's.
func (i *Identity) read() (*material, error) {
	o, m := &i.files, &material{}
	if _, err := readSecret(o.Key); err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	var err error
	if m.cert, err = tls.LoadX509KeyPair(o.Cert, o.Key); err != nil {
		return nil, fmt.Errorf("read certificate %s with key %s: %w", o.Cert, o.Key, err)
	}
	if o.CA != "" {
		if m.ca, err = readCert(o.CA); err != nil {
			return nil, fmt.Errorf("read CA: %w", err)
		}
		if !m.ca.IsCA {
			return nil, fmt.Errorf("%s is not a CA's certificate", o.CA)
		}
		m.roots = x509.NewCertPool()
		m.roots.AddCert(m.ca)
	}
	who, err := i.verify(m.roots, m.cert.Leaf, time.Now())
	switch {
	case errors.Is(err, ErrStranger) && i.pins != nil:
		return nil, fmt.Errorf("%s has the key %s, which is not the pin of %s", o.Cert, PinOf(m.cert.Leaf), o.Name)
	case err != nil:
		return nil, fmt.Errorf("check own certificate %s: %w", o.Cert, err)
	case who != o.Name:
		return nil, fmt.Errorf("%s is the certificate of %s, and this member is %s", o.Cert, who, o.Name)
	}
	return m, nil
}

// Name is the member's name.
func (i *Identity) Name() string { return i.name }

// Certificate is the member's own, in DER.
func (i *Identity) Certificate() []byte { return i.held.Load().cert.Leaf.Raw }

// Verify returns whose certificate it is: [ErrStranger] if no configured member's, [ErrExpired] if it
// does not hold at that time. With pins, time does not matter.
func (i *Identity) Verify(c *x509.Certificate, now time.Time) (member string, err error) {
	return i.verify(i.held.Load().roots, c, now)
}

func (i *Identity) verify(roots *x509.CertPool, c *x509.Certificate, now time.Time) (member string, err error) {
	if i.pins != nil {
		pin := PinOf(c)
		for name, p := range i.pins {
			if p == pin {
				return name, nil
			}
		}
		return "", fmt.Errorf("%w: no pin for the key %s", ErrStranger, pin)
	}
	_, err = c.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return "", fmt.Errorf("%w: of %s to %s", ErrExpired, c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
	} else if err != nil {
		return "", fmt.Errorf("%w: %w", ErrStranger, err)
	}
	name, ok := NameOf(c)
	switch {
	case !ok:
		return "", fmt.Errorf("%w: the certificate of %q names no member", ErrStranger, c.Subject.CommonName)
	case !slices.Contains(i.members, name):
		return "", fmt.Errorf("%w: %s is not configured", ErrStranger, name)
	}
	return name, nil
}
