package verify

// Which of the candidate's member events carry a mapping, and what it says.

import (
	"errors"

	"msc4014/helpers/pseudoid"
)

// mappedBy returns the mapping of an event, if it has one that can be read.
func (s *scene) mappedBy(one *event) (pseudoid.Mapping, bool) {
	raw, ok := one.mapping()
	if !ok {
		return pseudoid.Mapping{}, false
	}
	mapping, err := pseudoid.ParseMapping(raw)
	return mapping, err == nil
}

// carried judges whether a member event has a mapping where it must, and whether the mapping is right.
func (s *scene) carried(one *event) {
	var requirement string
	switch {
	case one.completed && one.key != "":
		requirement = "mapping/in-invite"
	case one.own && one.joins():
		requirement = s.carries(one)
	default:
		return
	}
	name := s.nameOf(one)
	raw, ok := one.mapping()
	if !ok {
		if s.judgedOnce(one.raw).hash == nil { // it is whole: redaction did not take the mapping
			s.breaks(requirement, "%s has no %s", name, pseudoid.MappingField)
			for _, prefix := range []string{"mapping/names-", "mapping/signed-by-"} {
				s.breaksOwn(prefix, "%s has no %s", name, pseudoid.MappingField)
			}
		}
		return
	}
	if s.counted(raw) {
		s.Mappings++
	}
	mapping, err := pseudoid.ParseMapping(raw)
	if err != nil {
		s.breaks("mapping/names-key", "%s: %v", name, err)
		return
	}
	if mapping.Dialect != pseudoid.DialectMSC4014 {
		s.breaks("mapping/names-key", "the mapping of %s has %q", name, mapping.Dialect.MappingKeyField())
	}
	if stateKey := one.get("state_key").String(); string(mapping.Key) != stateKey {
		s.breaks("mapping/names-key", "the mapping of %s names the key %s", name, mapping.Key)
	}
	s.names(one, name, mapping)
	if err := s.verified(mapping); err != nil && !errors.Is(err, errUnknown) {
		s.breaks("mapping/signed-by-users-server", "%s: %v", name, err)
	}
}

// names judges whose user ID a mapping has.
func (s *scene) names(one *event, name string, mapping pseudoid.Mapping) {
	domain, err := pseudoid.UserIDDomain(mapping.UserID)
	wanted := s.users[string(mapping.Key)]
	if one.completed {
		wanted = one.invited
	}
	switch {
	case err != nil || len(s.servers) > 0 && !s.servers[domain]:
		s.breaks("mapping/names-user", "the mapping of %s names %s, who is not a user of the candidate", name, mapping.UserID)
	case wanted != "" && wanted != mapping.UserID:
		s.breaks("mapping/names-user", "the mapping of %s names %s, and it is %s", name, mapping.UserID, wanted)
	}
}

// carries returns the requirement by which a join of the candidate must have a mapping.
func (s *scene) carries(join *event) string {
	creator := false
	for _, one := range s.events {
		if !one.own || one.key != join.key || one.room() != join.room() {
			continue
		}
		if one.joins() && one.depth() < join.depth() {
			return "mapping/in-profile-change"
		}
		creator = creator || one.kind() == "m.room.create"
	}
	switch {
	case creator:
		return "mapping/in-creator-join"
	case join.bySendJoin:
		return "mapping/in-remote-join"
	}
	return "mapping/in-local-join"
}
