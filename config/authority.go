package config

import (
	"fmt"

	"bprelay/p2pwire"
)

// checkAuthorities wants of each authority what set_proposed_producers wants: that it can be satisfied.
func (d *decoder) checkAuthorities(c *Config) {
	if !d.good("producers") {
		return
	}
	for i, p := range c.Producers {
		path := fmt.Sprintf("producers[%d]", i)
		_, hasThreshold := d.marks[path+".authority.threshold"]
		_, hasKeys := d.marks[path+".authority.keys"]
		switch {
		case !hasThreshold && !hasKeys:
			continue
		case len(p.Keys) > 0:
			d.fail(path+".keys", "", bad("keep keys if one of them signs alone, authority if several sign together", "stands beside an authority"))
			continue
		case !hasThreshold:
			d.fail(path+".authority.keys", "", bad("give authority.threshold, the weight that signatures must reach", "is given without a threshold"))
			continue
		case len(p.Authority.Keys) == 0:
			d.fail(path+".authority.threshold", "", bad("give authority.keys", "is given without keys"))
			continue
		case len(p.Authority.Keys) > p2pwire.MaxAuthorityKeys:
			d.fail(path+".authority.keys", "", bad(fmt.Sprintf("give at most %d", p2pwire.MaxAuthorityKeys), "are too many"))
			continue
		case p.Authority.Threshold > p.Authority.Weight():
			d.fail(path+".authority.threshold", fmt.Sprint(p.Authority.Threshold), bad("give at most that",
				"is more than all weights together (%d): no block could ever be signed", p.Authority.Weight()))
		}
		once := d.once("is given twice, as %s too", "remove one")
		for j, k := range p.Authority.Keys {
			once(fmt.Sprintf("%s.authority.keys[%d]", path, j), ".key", k.Key.String())
		}
	}
}
