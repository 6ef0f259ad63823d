package fault

// NoSignatureCheck: events are taken without looking at their signatures.
const NoSignatureCheck ID = "no-signature-check"

var table = []Fault{{
	ID:           NoSignatureCheck,
	Does:         "takes events without looking at their signatures",
	Breaks:       "MSC4014, Proposal: events are signed by the sender_key",
	Requirements: []string{},
}}
