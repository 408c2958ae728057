package creds

import (
	"crypto/tls"
	"fmt"
	"time"
)

// Protocol is what both sides of a connection must speak, as TLS negotiates it (ALPN).
const Protocol = "bprelay-link/1"

// Client is the configuration for dialling a member: whoever answers must be that one.
func (i *Identity) Client(peer string) *tls.Config {
	return i.config(func(name string) error {
		if name != peer {
			return fmt.Errorf("%w: it is %s that answers, not %s", ErrStranger, name, peer)
		}
		return nil
	})
}

// Server is the configuration for members that dial: any but this one itself.
func (i *Identity) Server() *tls.Config {
	return i.config(func(name string) error {
		if name == i.name {
			return fmt.Errorf("%w: it shows our own certificate", ErrStranger)
		}
		return nil
	})
}

// Peer is the member at the other end of a connection whose handshake is complete.
func (i *Identity) Peer(cs tls.ConnectionState) (string, error) {
	if len(cs.PeerCertificates) == 0 {
		return "", fmt.Errorf("%w: it shows no certificate", ErrStranger)
	}
	return i.Verify(cs.PeerCertificates[0], time.Now())
}

func (i *Identity) config(accept func(name string) error) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// Asked for each connection: the files may have been read again since.
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &i.held.Load().cert, nil },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &i.held.Load().cert, nil
		},
		NextProtos: []string{Protocol},
		ClientAuth: tls.RequireAnyClientCert,
		// Names of hosts mean nothing here: VerifyConnection does all of the checking, on both sides.
		InsecureSkipVerify: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			name, err := i.Peer(cs)
			if err != nil {
				return err
			}
			if cs.NegotiatedProtocol != Protocol {
				return fmt.Errorf("it speaks %q, not %s", cs.NegotiatedProtocol, Protocol)
			}
			return accept(name)
		},
		SessionTicketsDisabled: true,
		// A message should be as few records as possible: each costs a system call otherwise.
		DynamicRecordSizingDisabled: true,
	}
}
