package creds

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"
)

// scheme and authority of the URI that names a member in its certificate.
const (
	uriScheme = "bprelay"
	uriHost   = "member"
)

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)

// CheckName returns an error for what cannot be a member's name.
func CheckName(name string) error {
	if !namePattern.MatchString(name) {
		return fmt.Errorf("%q is not a usable name: give 1 to 32 of a-z, A-Z, 0-9, '.', '_' and '-', beginning with a letter or digit", name)
	}
	return nil
}

func memberURI(name string) *url.URL {
	return &url.URL{Scheme: uriScheme, Host: uriHost, Path: "/" + name}
}

// NameOf returns the member a certificate names; false if it names none, or several.
func NameOf(c *x509.Certificate) (name string, ok bool) {
	for _, u := range c.URIs {
		if u.Scheme != uriScheme || u.Host != uriHost || len(u.Path) < 2 {
			continue
		}
		if ok || CheckName(u.Path[1:]) != nil {
			return "", false
		}
		name, ok = u.Path[1:], true
	}
	return name, ok
}
