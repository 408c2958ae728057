package creds

import (
	"crypto/x509"
	"fmt"
	"time"
)

// ExpiryAlarm is how long before the end of a certificate there is an alarm.
const ExpiryAlarm = 30 * 24 * time.Hour

// Expires is when the first of the member's certificates ends: its own or the CA's. With pins it is the
// own one's, which then keeps nobody away.
func (i *Identity) Expires() time.Time {
	m := i.held.Load()
	end := m.cert.Leaf.NotAfter
	if m.ca != nil && m.ca.NotAfter.Before(end) {
		end = m.ca.NotAfter
	}
	return end
}

// Alarm says what an operator must do about certificates that end within [ExpiryAlarm]; it is empty if
// there is nothing to do. Ask it about once an hour.
func (i *Identity) Alarm(now time.Time) string {
	m := i.held.Load()
	if m.ca == nil {
		return "" // pins know no end
	}
	what, todo := "certificate of "+i.name, "bprelay cluster renew"
	if !m.ca.NotAfter.After(m.cert.Leaf.NotAfter) {
		what, todo = "the cluster's CA", "bprelay cluster init in a new directory, for all members"
	}
	return expiryText(what, todo, i.Expires(), now)
}

// AlarmOf is [Identity.Alarm] for the certificate another member showed.
func AlarmOf(member string, c *x509.Certificate, now time.Time) string {
	return expiryText("certificate of "+member, "bprelay cluster renew", c.NotAfter, now)
}

func expiryText(what, todo string, end, now time.Time) string {
	left := end.Sub(now)
	switch {
	case left > ExpiryAlarm:
		return ""
	case left <= 0:
		return fmt.Sprintf("%s expired on %s: new links cannot be made (%s)", what, end.Format(time.DateOnly), todo)
	}
	return fmt.Sprintf("%s expires in %d days, on %s: after that no link can be made (%s)",
		what, int(left.Hours()/24), end.Format(time.DateOnly), todo)
}
