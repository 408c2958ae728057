// Package config reads the relay's one configuration file.
//
//	cfg, warnings, err := config.Load("bprelay.yaml", os.Environ())
//
// The file is YAML and read strictly: a key nobody knows, a value of the wrong kind, a combination
// that cannot work is an error with its line, the key's path, what was given and what would be right.
// All of them are reported at once, each as an [*Error]. What works but is likely not meant comes
// back as a [Warning].
//
// Every option is described once, in the tables of options.go: where it goes, what it accepts, its
// default and its documentation. The example file ([Example], bprelay.example.yaml), the list for the
// documentation ([Options]) and the environment variables all follow from these tables. An option
// p2p.keepalive may be overridden by the environment variable BPRELAY_P2P_KEEPALIVE; a list is then
// given separated by commas, or as YAML in brackets.
//
// Secrets are never in the file, only the path of a file that holds one, see [P2P.ReadPeerPrivateKey].
package config

//go:generate go test -run TestExample -update .
