package config

import (
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bprelay/p2pwire"
)

// The parsers of single values. Each takes the text as written, and returns an error that says what
// is wrong with it and what would be right.

func parseCount(text string, lo, hi int) (int, *invalid) {
	want := "give a whole number from " + strconv.Itoa(lo) + " to " + strconv.Itoa(hi)
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, bad(want, "is not a whole number")
	}
	if n < lo || n > hi {
		return 0, bad(want, "is out of range")
	}
	return n, nil
}

func parseFraction(text string) (float64, *invalid) {
	const want = "give a number from 0 to 1, such as 0.2"
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) {
		return 0, bad(want, "is not a number")
	}
	if f < 0 || f > 1 {
		return 0, bad(want, "is out of range")
	}
	return f, nil
}

func parseFlag(text string) (bool, *invalid) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, bad("give true or false", "is neither")
}

func parseDuration(text string, lo, hi time.Duration) (time.Duration, *invalid) {
	const example = "give a number with a unit, such as 500ms, 3s or 1m30s"
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return 0, bad(example, "has no unit")
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, bad(example, "is not a duration")
	}
	if d < lo || d > hi {
		return 0, bad("give a duration from "+formatDuration(lo)+" to "+formatDuration(hi), "is out of range")
	}
	return d, nil
}

// formatDuration writes 2m0s as 2m.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

var byteUnits = []struct {
	name string
	size float64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1},
}

var numberPattern = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

func parseBytes(text string, lo, hi int) (int, *invalid) {
	const example = "give a number with a unit, such as 64KiB, 32MiB or 1.5GiB"
	if numberPattern.MatchString(text) {
		return 0, bad(example, "has no unit")
	}
	for _, unit := range byteUnits {
		number, found := strings.CutSuffix(text, unit.name)
		if !found {
			continue
		}
		if number = strings.TrimSpace(number); !numberPattern.MatchString(number) {
			break
		}
		f, err := strconv.ParseFloat(number, 64)
		if f *= unit.size; err != nil || f < float64(lo) || f > float64(hi) {
			return 0, bad("give a size from "+formatBytes(lo)+" to "+formatBytes(hi), "is out of range")
		}
		return int(f), nil
	}
	return 0, bad(example, "is not a size")
}

// formatBytes writes a size in the largest binary unit that divides it.
func formatBytes(n int) string {
	for _, unit := range byteUnits[:3] {
		if size := int(unit.size); n >= size && n%size == 0 {
			return strconv.Itoa(n/size) + unit.name
		}
	}
	return strconv.Itoa(n) + "B"
}

func parseChoice(text string, choices []string) (string, *invalid) {
	if slices.Contains(choices, text) {
		return text, nil
	}
	return "", bad("choose "+oneOf(choices), "is none of the choices")
}

func oneOf(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + " or " + list[last]
}

func parseAgent(text string) (string, *invalid) {
	const want = "give 1 to 64 printable ASCII characters"
	if len(text) < 1 || len(text) > 64 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", bad(want, "cannot be announced")
	}
	return text, nil
}

var labelPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)

// parseLabel reads a name that appears in logs, metrics and commands.
func parseLabel(text string) (string, *invalid) {
	if !labelPattern.MatchString(text) {
		return "", bad("give 1 to 32 of a-z, A-Z, 0-9, '.', '_' and '-', beginning with a letter or digit", "is not a usable name")
	}
	return text, nil
}

func parseAccount(text string) (p2pwire.Name, *invalid) {
	name, err := p2pwire.ParseName(text)
	if err != nil {
		return 0, bad("give 1 to 12 of a-z, 1-5 and '.', not ending in '.'", "is not an EOSIO account name")
	}
	return name, nil
}

func parseChainID(text string) (p2pwire.ID, *invalid) {
	const want = "give the chain_id of /v1/chain/get_info, or nothing to learn it from the own nodes"
	id, err := p2pwire.ParseID(text)
	if err != nil {
		return id, bad(want, "is not 64 hex digits")
	}
	if id.IsZero() {
		return id, bad(want, "is no chain's id")
	}
	return id, nil
}

func parseKey(text string) (p2pwire.PublicKey, *invalid) {
	const want = "give a public key as PUB_K1_..., EOS... or PUB_R1_..."
	switch {
	case redact(text) == "(a private key)":
		return p2pwire.PublicKey{}, bad(want+", and treat the private key as disclosed", "is not a public key")
	case strings.HasPrefix(text, "PUB_WA_"):
		return p2pwire.PublicKey{}, bad(want, "is a WebAuthn key: every nodeos closes a link over a block signed by one")
	}
	key, err := p2pwire.ParsePublicKey(text)
	if err != nil {
		return key, bad(want, "is not a public key")
	}
	return key, nil
}

func parseFinalizerKey(text string) ([p2pwire.FinalizerKeySize]byte, *invalid) {
	const want = "give a finalizer's public key as PUB_BLS_..."
	if redact(text) == "(a private key)" || strings.HasPrefix(text, "PVT_") {
		return [p2pwire.FinalizerKeySize]byte{}, bad(want+", and treat the private key as disclosed", "is not a public key")
	}
	key, err := p2pwire.ParseFinalizerKey(text)
	if err != nil {
		return key, bad(want, "is not a BLS public key")
	}
	return key, nil
}

func parseFile(text string) (string, *invalid) {
	if redact(text) == "(a private key)" {
		return "", bad("put the key into a file of mode 0600, name that file here, and treat the key as disclosed", "must not be in the configuration")
	}
	if text == "" || strings.ContainsRune(text, 0) {
		return "", bad("give the path of a file", "is not a path")
	}
	return text, nil
}

func parseDirectory(text string) (string, *invalid) {
	if text == "" || strings.ContainsRune(text, 0) {
		return "", bad("give the path of a directory, or remove the key", "is not a path")
	}
	return text, nil
}

// parseProgram reads the first word of a command.
func parseProgram(text string) (string, *invalid) {
	const want = "give the path of a program, or its name if it is in PATH, and each argument as an item of its own"
	switch {
	case strings.TrimSpace(text) == "":
		return "", bad(want, "is no program")
	case !strings.Contains(text, "/") && strings.ContainsAny(text, " \t"):
		return "", bad(want, "looks like a command line, and no shell reads it")
	}
	return parseArgument(text)
}

// parseArgument reads a further word of a command.
func parseArgument(text string) (string, *invalid) {
	switch {
	case redact(text) == "(a private key)":
		return "", bad("let the program read the key from a file, and treat the key as disclosed", "must not be in the configuration")
	case strings.ContainsRune(text, 0):
		return "", bad("remove the character 0", "cannot be an argument")
	}
	return text, nil
}

// parseAPI reads the address of a nodeos' HTTP side and returns its URL, without a path.
func parseAPI(text string) (string, *invalid) {
	const want = "give host:port, such as 10.0.0.11:8888, or http://10.0.0.11:8888"
	if !strings.Contains(text, "://") {
		host, problem := parseDial(text)
		if problem != nil {
			return "", bad(want, "%s", problem.problem)
		}
		return "http://" + strings.ToLower(host), nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", bad(want, "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", bad(want, "is no http URL")
	case u.User != nil:
		return "", bad(want, "has a user name, which nodeos does not know")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return "", bad(want+": the relay adds the path itself", "has more than a host and a port")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	if _, problem := parseDial(u.Host); problem != nil {
		return "", bad(want, "%s", problem.problem)
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// parseDial reads an address to connect to.
func parseDial(text string) (string, *invalid) {
	const want = "give host:port, such as 10.0.0.11:9876, node-a:9876 or [fd00::1]:9876"
	host, port, problem := splitAddress(text, want)
	switch {
	case problem != nil:
		return "", problem
	case host == "":
		return "", bad(want, "has no host")
	case isWildcard(host):
		return "", bad(want, "is no address one can connect to")
	case port == 0:
		return "", bad("give a port from 1 to 65535", "has a port out of range")
	}
	return text, nil
}

// parseListen reads an address to accept connections on. Port 0 lets the system choose one.
func parseListen(text string) (string, *invalid) {
	const want = "give host:port, such as 10.0.0.1:9876, or 0.0.0.0:9876 for all interfaces"
	if _, _, problem := splitAddress(text, want); problem != nil {
		return "", problem
	}
	return text, nil
}

// parseHost reads a host without a port.
func parseHost(text string) (string, *invalid) {
	const want = "give an IP address or a host name, without a port"
	if addr, err := netip.ParseAddr(text); err == nil {
		if addr.IsUnspecified() {
			return "", bad(want, "is nobody's address")
		}
		return text, nil
	}
	if strings.Contains(text, "/") {
		return "", bad(want+", one entry for each", "looks like a network")
	}
	if !isHostName(text) {
		return "", bad(want, "is not a host")
	}
	return text, nil
}

func splitAddress(text, want string) (host string, port int, problem *invalid) {
	if strings.Contains(text, "://") {
		return "", 0, bad(want, "looks like a URL")
	}
	for _, suffix := range []string{":trx", ":blk"} {
		if strings.HasSuffix(text, suffix) {
			return "", 0, bad(want, "has nodeos' suffix %s, which has no meaning here", suffix)
		}
	}
	host, portText, err := net.SplitHostPort(text)
	switch {
	case err != nil && strings.Contains(err.Error(), "missing port"):
		return "", 0, bad(want, "has no port")
	case err != nil:
		return "", 0, bad(want, "is not an address")
	}
	number, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return "", 0, bad("give a port from 1 to 65535", "has a port out of range")
	}
	port = int(number)
	if host == "" {
		return host, port, nil
	}
	if _, err := netip.ParseAddr(host); err != nil && !isHostName(host) {
		return "", 0, bad(want, "has an impossible host")
	}
	return host, port, nil
}

var hostPattern = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$`)

// isHostName follows RFC 1123, and lets underscores pass, which container networks use. What looks
// like an IPv4 address and is none is no host name.
func isHostName(host string) bool {
	if len(host) > 253 || !hostPattern.MatchString(host) {
		return false
	}
	return strings.ContainsFunc(host, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
}

// isWildcard reports whether a listener on host takes connections on every interface.
func isWildcard(host string) bool {
	if host == "" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsUnspecified()
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
