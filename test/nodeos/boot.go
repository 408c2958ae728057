package nodeos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/eoscanada/eos-go"
	"github.com/eoscanada/eos-go/ecc"
	"github.com/eoscanada/eos-go/system"

	"bprelay/p2pwire"
)

const (
	bootPoll     = 100 * time.Millisecond
	bootPatience = 40 * time.Second
)

// boot turns a chain that only eosio produces into one with our schedule, and with finalizers if it
// is to be Savanna.
func (n *network) boot(ctx context.Context) error {
	features, err := n.public[0].api.features(ctx)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		run  func(context.Context, []feature) error
	}{
		{"activate PREACTIVATE_FEATURE", n.activateFirst},
		{"deploy the first contract", n.deploy(firstContract())},
		{"preactivate all features", n.preactivate},
		{"deploy the second contract", n.deploy(secondContract())},
		{"create the accounts", n.createAccounts},
		{"set the finalizers", n.setFinalizers},
		{"set the producers", n.setProducers},
	} {
		if err := step.run(ctx, features); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// activateFirst uses the one way to activate a feature without a contract.
func (n *network) activateFirst(ctx context.Context, features []feature) error {
	i := slices.IndexFunc(features, func(f feature) bool { return f.name() == "PREACTIVATE_FEATURE" })
	if i < 0 {
		return errors.New("the node does not know the feature")
	}
	body := map[string]any{"protocol_features_to_activate": []p2pwire.ID{features[i].Digest}}
	return n.public[0].api.call(ctx, "/v1/producer/schedule_protocol_feature_activations", body, nil)
}

// deploy sets the contract, trying until the features it needs are active.
func (n *network) deploy(module []byte) func(context.Context, []feature) error {
	return func(ctx context.Context, _ []feature) error {
		return poll(ctx, "setcode is accepted", bootPoll, bootPatience, func(ctx context.Context) error {
			return n.push(ctx, system.NewSetCodeContent("eosio", module))
		})
	}
}

func (n *network) push(ctx context.Context, actions ...*eos.Action) error {
	info, err := n.wallet.api.info(ctx)
	if err != nil {
		return err
	}
	return n.wallet.push(ctx, info.HeadID, actions...)
}

// preactivate takes all features but the first, what they depend on before them.
func (n *network) preactivate(ctx context.Context, features []feature) error {
	var actions []*eos.Action
	done := map[p2pwire.ID]bool{}
	var take func(f feature)
	take = func(f feature) {
		if done[f.Digest] {
			return
		}
		done[f.Digest] = true
		for _, d := range f.Dependencies {
			if i := slices.IndexFunc(features, func(f feature) bool { return f.Digest == d }); i >= 0 {
				take(features[i])
			}
		}
		if f.name() != "PREACTIVATE_FEATURE" {
			actions = append(actions, act(actionPreactivate, f.Digest[:]))
		}
	}
	for _, f := range features {
		take(f)
	}
	return poll(ctx, "the features are taken", bootPoll, bootPatience, func(ctx context.Context) error {
		return n.push(ctx, actions...)
	})
}

func (n *network) createAccounts(ctx context.Context, _ []feature) error {
	var actions []*eos.Action
	for _, p := range n.producers {
		var key ecc.PublicKey = p.block.public
		actions = append(actions, system.NewNewAccount("eosio", eos.AccountName(p.name.String()), key))
	}
	return n.push(ctx, actions...)
}

// setFinalizers starts Savanna, and waits until it is there: with a schedule under way at the same
// time the transition can stall.
func (n *network) setFinalizers(ctx context.Context, _ []feature) error {
	if !n.savanna {
		return nil
	}
	threshold := uint64(len(n.producers)*2/3 + 1)
	if err := n.push(ctx, act(actionSetFinalizers, packFinalizers(n.producers, threshold))); err != nil {
		return err
	}
	return poll(ctx, "the finalizer policy is active", bootPoll, bootPatience, func(ctx context.Context) error {
		var info struct {
			Active *struct {
				Generation uint32 `json:"generation"`
			} `json:"active_finalizer_policy"`
		}
		if err := n.api.api.call(ctx, "/v1/chain/get_finalizer_info", struct{}{}, &info); err != nil {
			return err
		}
		if info.Active == nil {
			return errors.New("there is none yet")
		}
		return nil
	})
}

func (n *network) setProducers(ctx context.Context, _ []feature) error {
	schedule, err := packSchedule(n.producers)
	if err != nil {
		return err
	}
	if err := n.push(ctx, act(actionSetProducers, schedule)); err != nil {
		return err
	}
	return poll(ctx, "the schedule is active", bootPoll, bootPatience, func(ctx context.Context) error {
		info, err := n.api.api.info(ctx)
		if err == nil && info.Producer == "eosio" {
			err = fmt.Errorf("block %d is still eosio's", info.HeadNum)
		}
		return err
	})
}
