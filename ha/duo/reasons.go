package duo

import (
	"bprelay/ha/pair"
	"bprelay/relay/core"
)

// roleReasons and alarmReasons are the relay's names for what the pair gives as reasons.
var (
	roleReasons = map[pair.Reason]core.Reason{
		pair.ReasonStart:          core.ReasonActiveStart,
		pair.ReasonMissed:         core.ReasonActiveMissed,
		pair.ReasonMissedAlone:    core.ReasonActiveMissedAlone,
		pair.ReasonMissedAgain:    core.ReasonActiveMissedAgain,
		pair.ReasonNoContact:      core.ReasonActiveNoContact,
		pair.ReasonElected:        core.ReasonActiveElected,
		pair.ReasonGranted:        core.ReasonActiveGranted,
		pair.ReasonHandover:       core.ReasonActiveHandover,
		pair.ReasonNodesLost:      core.ReasonActiveNodesLost,
		pair.ReasonIsolated:       core.ReasonActiveIsolated,
		pair.ReasonFailback:       core.ReasonActiveFailback,
		pair.ReasonGap:            core.ReasonActiveGap,
		pair.ReasonConfirmed:      core.ReasonActiveConfirmed,
		pair.ReasonOutranked:      core.ReasonActiveOutranked,
		pair.ReasonOtherPublished: core.ReasonActiveOtherPublished,
		pair.ReasonRaised:         core.ReasonActiveRaised,
	}
	alarmReasons = map[pair.Reason]core.Reason{
		pair.ReasonDoubleClaim: core.ReasonDoubleClaim,
		pair.ReasonPeerUnseen:  core.ReasonPairPeerUnseen,
		pair.ReasonPeerSlow:    core.ReasonPairPeerSlow,
		pair.ReasonPeerLost:    core.ReasonPairPeerLost,
		pair.ReasonNoProof:     core.ReasonPairNoProof,
		pair.ReasonSettings:    core.ReasonPairSettings,
	}
)
