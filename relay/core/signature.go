package core

import (
	"errors"
	"fmt"

	"bprelay/p2pwire"
)

// producer is one own producer.
type producer struct {
	authority *p2pwire.AuthorityVerifier // nil: signatures are not checked
}

var errTwoAuthorities = errors.New("keys and an authority are both given")

func newProducer(p *Producer) (*producer, error) {
	a := p.Authority
	switch {
	case len(p.Keys) > 0 && len(a.Keys) > 0:
		return nil, fmt.Errorf("producer %s: %w", p.Name, errTwoAuthorities)
	case len(p.Keys) > 0:
		a = p2pwire.AnyOf(p.Keys...)
	case len(a.Keys) == 0:
		return &producer{}, nil
	}
	v, err := p2pwire.NewAuthorityVerifier(a)
	if err != nil {
		return nil, fmt.Errorf("producer %s: %w", p.Name, err)
	}
	return &producer{authority: v}, nil
}
