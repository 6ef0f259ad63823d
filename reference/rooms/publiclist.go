package rooms

// This file answers queries of the server's public room list, which are the same for clients and servers (client-server
// API, "Listed rooms"; server-server API, "Published Room Directory").

import (
	"slices"
	"strconv"
	"strings"
)

// PublicQuery is the body of POST /publicRooms.
type PublicQuery struct {
	Limit  *int   `json:"limit,omitempty"`
	Since  string `json:"since,omitempty"`
	Filter struct {
		Term  string     `json:"generic_search_term,omitempty"`
		Types *[]*string `json:"room_types,omitempty"` // null stands for rooms without a type
	} `json:"filter"`
}

// PublicPage is the response to a PublicQuery.
type PublicPage struct {
	Chunk         []Summary `json:"chunk"`
	NextBatch     string    `json:"next_batch,omitempty"`
	PreviousBatch string    `json:"prev_batch,omitempty"`
	Total         int       `json:"total_room_count_estimate"`
}

// PublicPage returns a page of the rooms in the server's public list, those with the most members first.
func (rs *Rooms) PublicPage(q PublicQuery) (PublicPage, error) {
	var found []Summary
	for _, room := range rs.All() {
		if !rs.Listed(room.id) || !room.Resident() {
			continue
		}
		if summary := room.Summary(); q.admits(summary) {
			found = append(found, summary)
		}
	}
	slices.SortStableFunc(found, func(a, b Summary) int { return b.Members - a.Members })
	skip := 0
	if q.Since != "" {
		n, err := strconv.Atoi(q.Since)
		if err != nil || n < 0 {
			return PublicPage{}, Bad("M_INVALID_PARAM", "since is %q, which is not a token of this server", q.Since)
		}
		skip = min(n, len(found))
	}
	end := len(found)
	if q.Limit != nil {
		end = min(skip+max(*q.Limit, 0), end)
	}
	page := PublicPage{Chunk: append([]Summary{}, found[skip:end]...), Total: len(found)}
	if end < len(found) {
		page.NextBatch = strconv.Itoa(end)
	}
	if skip > 0 {
		page.PreviousBatch = strconv.Itoa(max(0, skip-(end-skip)))
	}
	return page, nil
}

func (q PublicQuery) admits(s Summary) bool {
	if q.Filter.Types != nil && !slices.ContainsFunc(*q.Filter.Types, func(wanted *string) bool {
		return wanted == nil && s.RoomType == "" || wanted != nil && *wanted == s.RoomType
	}) {
		return false
	}
	term := strings.ToLower(q.Filter.Term)
	return slices.ContainsFunc([]string{s.Name, s.Topic, s.CanonicalAlias}, func(text string) bool {
		return strings.Contains(strings.ToLower(text), term)
	})
}
