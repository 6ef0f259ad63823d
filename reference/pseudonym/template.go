package pseudonym

// This file names users in the templates of member events that servers give each other (make_join, make_knock, make_leave).

import "msc4014/reference/identity"

// TemplatesByKey reports whether this server names its users by their keys when it asks for a template (membership/make-template).
func (r Rules) TemplatesByKey() bool { return r.Readings.MakeTemplate == "asked-by-key" }

// TemplateName returns what stands in a template as sender and state key: "" for neither. In an event sender_key is always a
// key (MSC4014, Proposal 1.1); a template is none yet, and asking servers fill it in. key is the user's key, if the user was in the
// room before; the text does not say what else there is to name (membership/make-template). By default the user ID takes its place, as on
// deployed servers.
func (r Rules) TemplateName(userID string, key identity.SenderKey, known bool) string {
	switch {
	case r.Readings.MakeTemplate == "asked-by-user-id-blank":
		return ""
	case known && r.Readings.MakeTemplate != "asked-by-user-id-named":
		return string(key)
	}
	return userID
}
