package creds

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// made makes a cluster in a directory of the test's.
func made(t *testing.T, members ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cluster")
	if _, err := Create(Plan{Dir: dir, Members: members}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func options(dir, name string, members ...string) Options {
	return Options{
		Name: name, Members: members, CA: filepath.Join(dir, CAFile),
		Cert: filepath.Join(dir, CertFile(name)), Key: filepath.Join(dir, KeyFile(name)),
	}
}

func identity(t *testing.T, o Options) *Identity {
	t.Helper()
	i, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func leaf(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	c, err := readCert(filepath.Join(dir, CertFile(name)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCreate(t *testing.T) {
	dir := made(t, "relay-a", "Relay_B", "w.1")
	files := []string{CAFile, CAKeyFile, GossipFile}
	for _, m := range []string{"relay-a", "Relay_B", "w.1"} {
		files = append(files, CertFile(m), KeyFile(m))
		i := identity(t, options(dir, m, "relay-a", "Relay_B", "w.1"))
		if c := i.held.Load().cert.Leaf; c.Subject.CommonName != m || c.DNSNames[0] != m || c.IsCA || len(c.ExtKeyUsage) != 2 {
			t.Errorf("%s: %+v", m, c.Subject)
		}
		if left := time.Until(i.Expires()); left < 9*365*24*time.Hour || i.Alarm(time.Now()) != "" {
			t.Errorf("%s holds for %v: %q", m, left, i.Alarm(time.Now()))
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(files) {
		t.Fatalf("%d files, want %q: %v", len(entries), files, err)
	}
	for _, name := range files {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestCreateOverwritesNothing(t *testing.T) {
	for _, name := range []string{CAFile, CAKeyFile, GossipFile, CertFile("b"), KeyFile("a")} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Create(Plan{Dir: dir, Members: []string{"a", "b"}}); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		entries, _ := os.ReadDir(dir)
		if text, _ := os.ReadFile(path); len(entries) != 1 || string(text) != "precious" {
			t.Errorf("%s: %q, and %d files", name, text, len(entries))
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	for _, c := range []struct {
		members []string
		days    time.Duration
		want    string
	}{
		{[]string{"a"}, 0, "at least 2 members, not 1"},
		{[]string{"a", "a"}, 0, "member a is given twice"},
		{[]string{"a", "ca"}, 0, "cannot be called ca"},
		{[]string{"a", "../b"}, 0, `"../b" is not a usable name`},
		{[]string{"a", ""}, 0, `"" is not a usable name`},
		{[]string{"a", strings.Repeat("b", 33)}, 0, "not a usable name"},
		{[]string{"a", "b"}, 59, "too short"},
		{[]string{"a", "b"}, -1, "too short"},
	} {
		dir := filepath.Join(t.TempDir(), "new")
		_, err := Create(Plan{Dir: dir, Members: c.members, Validity: c.days * 24 * time.Hour})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.members, err, c.want)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: the directory was made", c.members)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	dir, other := made(t, "a", "b"), made(t, "a", "b")
	pin := PinOf(leaf(t, dir, "a"))
	open := filepath.Join(t.TempDir(), "open.key")
	text, _ := os.ReadFile(filepath.Join(dir, "a.key"))
	if err := errors.Join(os.WriteFile(open, text, 0o600), os.Chmod(open, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string
		is     error
	}{
		{"not a member", func(o *Options) { o.Name = "c" }, `"c" is not among the members ["a" "b"]`, nil},
		{"nothing to trust", func(o *Options) { o.CA = "" }, "give a CA or pins", nil},
		{"both", func(o *Options) { o.Pins = map[string]Pin{"a": pin} }, "give a CA or pins", nil},
		{"another's files", func(o *Options) { o.Cert, o.Key = filepath.Join(dir, "b.crt"), filepath.Join(dir, "b.key") }, "is the certificate of b, and this member is a", nil},
		{"another's key", func(o *Options) { o.Key = filepath.Join(dir, "b.key") }, "private key does not match public key", nil},
		{"another cluster's CA", func(o *Options) { o.CA = filepath.Join(other, CAFile) }, "signed by unknown authority", ErrStranger},
		{"no CA", func(o *Options) { o.CA = filepath.Join(dir, "a.crt") }, "is not a CA's certificate", nil},
		{"no PEM", func(o *Options) { o.CA = filepath.Join(dir, GossipFile) }, "holds no certificate", nil},
		{"missing key", func(o *Options) { o.Key += "x" }, "a.keyx", fs.ErrNotExist},
		{"open key", func(o *Options) { o.Key = open }, "chmod 600", ErrMode},
		{"pin missing", func(o *Options) { o.CA, o.Pins = "", map[string]Pin{"a": pin} }, "there is no pin for member b", nil},
		{"pin of a stranger", func(o *Options) { o.CA, o.Pins = "", map[string]Pin{"a": pin, "b": {}, "c": {}} }, "a pin for c, which is no member", nil},
		{"wrong own pin", func(o *Options) { o.CA, o.Pins = "", map[string]Pin{"a": {1}, "b": {2}} }, "which is not the pin of a", nil},
	} {
		o := options(dir, "a", "a", "b")
		c.change(&o)
		_, err := Load(o)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %q (%v)", c.name, err, c.want, c.is)
		}
	}
}

func TestVerify(t *testing.T) {
	dir, other := made(t, "a", "b", "gone"), made(t, "a", "b")
	byCA := identity(t, options(dir, "a", "a", "b"))
	o := options(dir, "a", "a", "b")
	o.CA, o.Pins = "", map[string]Pin{"a": PinOf(leaf(t, dir, "a")), "b": PinOf(leaf(t, dir, "b"))}
	byPin := identity(t, o)
	now := time.Now()
	ca, err := readCert(filepath.Join(dir, CAFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		cert     *x509.Certificate
		at       time.Time
		who      string
		ca, pins error
	}{
		{"a member", leaf(t, dir, "b"), now, "b", nil, nil},
		{"one that is not configured", leaf(t, dir, "gone"), now, "", ErrStranger, ErrStranger},
		{"the same name by another CA", leaf(t, other, "b"), now, "", ErrStranger, ErrStranger},
		{"the CA itself", ca, now, "", ErrStranger, ErrStranger},
		{"expired", leaf(t, dir, "b"), now.Add(DefaultValidity + time.Hour), "b", ErrExpired, nil},
		{"before its time", leaf(t, dir, "b"), now.Add(-2 * backdate), "b", ErrExpired, nil},
	} {
		who, err := byCA.Verify(c.cert, c.at)
		if !errors.Is(err, c.ca) || err == nil && who != c.who {
			t.Errorf("%s, by CA: %q, %v", c.name, who, err)
		}
		if who, err = byPin.Verify(c.cert, c.at); !errors.Is(err, c.pins) || err == nil && who != c.who {
			t.Errorf("%s, by pin: %q, %v", c.name, who, err)
		}
	}
}

func TestNameOf(t *testing.T) {
	two := leaf(t, made(t, "a", "b"), "a")
	two.URIs = append(two.URIs, memberURI("b"))
	if name, ok := NameOf(two); ok {
		t.Errorf("two names: %q", name)
	}
	two.URIs[0].Path, two.URIs = "/a/b", two.URIs[:1]
	if name, ok := NameOf(two); ok {
		t.Errorf("a path: %q", name)
	}
}

func TestAddAndRenew(t *testing.T) {
	dir := made(t, "a", "b")
	if _, err := Add(Plan{Dir: dir, Members: []string{"b"}}); !errors.Is(err, ErrExists) {
		t.Errorf("b again: %v", err)
	}
	if _, err := Add(Plan{Dir: dir, Members: []string{"c", "b"}}); !errors.Is(err, ErrExists) {
		t.Errorf("b again, after c: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "c.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a member stays: %v", err)
	}
	if made, err := Add(Plan{Dir: dir, Members: []string{"c"}}); err != nil || len(made) != 2 {
		t.Fatalf("%v, %v", made, err)
	}
	a := identity(t, options(dir, "a", "a", "b", "c"))
	old := leaf(t, dir, "c")
	if _, err := Renew(Plan{Dir: dir, Members: []string{"c"}, Validity: 100 * 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	fresh := leaf(t, dir, "c")
	if who, err := a.Verify(fresh, time.Now()); who != "c" || err != nil {
		t.Errorf("renewed: %q, %v", who, err)
	}
	if PinOf(old) != PinOf(fresh) || old.SerialNumber.Cmp(fresh.SerialNumber) == 0 {
		t.Error("the key changed, or the certificate did not")
	}
	if info, err := os.Stat(filepath.Join(dir, "c.crt")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	identity(t, options(dir, "c", "a", "b", "c")) // still fits its key
	if err := os.Remove(filepath.Join(dir, CAKeyFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Add(Plan{Dir: dir, Members: []string{"d"}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the CA's key: %v", err)
	}
}

func TestAlarm(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	if _, err := Create(Plan{Dir: dir, Members: []string{"a", "b"}, Validity: MinValidity}); err != nil {
		t.Fatal(err)
	}
	a := identity(t, options(dir, "a", "a", "b"))
	for _, c := range []struct {
		before time.Duration
		want   string
	}{
		{ExpiryAlarm + time.Hour, ""},
		{ExpiryAlarm - time.Hour, "the cluster's CA expires in 29 days"},
		{-time.Hour, "the cluster's CA expired on "},
	} {
		if got := a.Alarm(a.Expires().Add(-c.before)); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%v before: %q, want %q", c.before, got, c.want)
		}
		got := AlarmOf("b", leaf(t, dir, "b"), a.Expires().Add(-c.before))
		if want := strings.Replace(c.want, "the cluster's CA", "certificate of b", 1); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%v before: %q, want %q", c.before, got, want)
		}
	}
}

func TestSignatures(t *testing.T) {
	dir := made(t, "a", "b")
	a := identity(t, options(dir, "a", "a", "b"))
	sig, err := a.Sign("record", []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	certA, certB := leaf(t, dir, "a"), leaf(t, dir, "b")
	if err := CheckSignature(certA, "record", []byte("text"), sig); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"other text":    CheckSignature(certA, "record", []byte("texts"), sig),
		"other key":     CheckSignature(certB, "record", []byte("text"), sig),
		"other purpose": CheckSignature(certA, "vote", []byte("text"), sig),
		"cut":           CheckSignature(certA, "record", []byte("text"), sig[:63]),
		"none":          CheckSignature(certA, "record", []byte("text"), nil),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// handshake connects two members and returns what each side saw.
func handshake(t *testing.T, client, server *tls.Config) (clientErr, serverErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		done <- tls.Server(c, server).Handshake()
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn := tls.Client(c, client)
	clientErr = conn.Handshake()
	serverErr = <-done
	if clientErr == nil && serverErr != nil { // in TLS 1.3 the client hears of it when it reads
		if _, err := conn.Read(make([]byte, 1)); err != nil && !errors.Is(err, io.EOF) {
			clientErr = err
		}
	}
	return clientErr, serverErr
}

func TestHandshakes(t *testing.T) {
	dir, other := made(t, "a", "b", "c"), made(t, "a", "b")
	a, b := identity(t, options(dir, "a", "a", "b")), identity(t, options(dir, "b", "a", "b"))
	c := identity(t, options(dir, "c", "a", "b", "c"))
	fake := identity(t, options(other, "b", "a", "b"))
	pinsOf := func(name string) *Identity {
		o := options(dir, name, "a", "b")
		o.CA, o.Pins = "", map[string]Pin{"a": PinOf(leaf(t, dir, "a")), "b": PinOf(leaf(t, dir, "b"))}
		return identity(t, o)
	}
	old := a.Client("b")
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	anonymous := a.Client("b")
	anonymous.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }
	silent := a.Client("b")
	silent.NextProtos = nil
	for _, x := range []struct {
		name           string
		client, server *tls.Config
		good           bool
	}{
		{"two members", a.Client("b"), b.Server(), true},
		{"by pins", pinsOf("a").Client("b"), pinsOf("b").Server(), true},
		{"pins with a CA at the other end", a.Client("b"), pinsOf("b").Server(), true},
		{"another member answers", a.Client("b"), c.Server(), false},
		{"one that is not configured dials", c.Client("a"), a.Server(), false},
		{"another cluster answers", a.Client("b"), fake.Server(), false},
		{"another cluster dials", fake.Client("a"), a.Server(), false},
		{"another cluster answers who has pins", pinsOf("a").Client("b"), fake.Server(), false},
		{"ourselves", a.Client("a"), a.Server(), false},
		{"without a certificate", anonymous, b.Server(), false},
		{"TLS 1.2", old, b.Server(), false},
		{"another protocol", silent, b.Server(), false},
	} {
		clientErr, serverErr := handshake(t, x.client, x.server)
		if good := clientErr == nil && serverErr == nil; good != x.good {
			t.Errorf("%s: client %v, server %v", x.name, clientErr, serverErr)
		}
	}
}

// What was renewed counts from the next connection on, for configurations made before as well; what cannot be
// used changes nothing.
func TestReload(t *testing.T) {
	dir := made(t, "a", "b")
	a, b := identity(t, options(dir, "a", "a", "b")), identity(t, options(dir, "b", "a", "b"))
	client, server := a.Client("b"), b.Server()
	var shown *x509.Certificate
	check := client.VerifyConnection
	client.VerifyConnection = func(cs tls.ConnectionState) error {
		shown = cs.PeerCertificates[0]
		return check(cs)
	}
	meet := func() {
		t.Helper()
		if clientErr, serverErr := handshake(t, client, server); clientErr != nil || serverErr != nil {
			t.Fatalf("client %v, server %v", clientErr, serverErr)
		}
	}
	meet()
	old := shown
	if changed, err := b.Reload(); changed || err != nil {
		t.Fatalf("nothing was renewed: %t, %v", changed, err)
	}
	if _, err := Renew(Plan{Dir: dir, Members: []string{"b"}, Validity: 100 * 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	if meet(); !shown.Equal(old) {
		t.Error("it was read too early")
	}
	if changed, err := b.Reload(); !changed || err != nil {
		t.Fatalf("%t, %v", changed, err)
	}
	if meet(); shown.Equal(old) || !bytes.Equal(shown.Raw, b.Certificate()) || time.Until(b.Expires()) > 101*24*time.Hour {
		t.Error("the old one is shown")
	}
	path := filepath.Join(dir, CertFile("b"))
	if err := os.WriteFile(path, leaf(t, dir, "a").Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := b.Reload(); changed || err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("half a file: %t, %v", changed, err)
	}
	meet()
}

func TestPinText(t *testing.T) {
	p := PinOf(leaf(t, made(t, "a", "b"), "a"))
	if got, err := ParsePin(p.String()); got != p || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "sha256:", p.String()[:70], p.String()[7:], p.String() + "0", "sha256:" + strings.Repeat("g", 64)} {
		if _, err := ParsePin(text); !errors.Is(err, ErrPin) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
