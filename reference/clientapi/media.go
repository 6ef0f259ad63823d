package clientapi

// This file serves media, with their bytes in a directory and their metadata in the store (client-server API, "Content
// Repository"). Media of other servers are not fetched.

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"

	"msc4014/reference/rooms"
	"msc4014/reference/store"
)

// maxMedia is the maximum size of an upload, in bytes.
const maxMedia = 50 << 20

// mediaStore keeps uploads.
type mediaStore struct {
	store *store.Store
	known *store.Map[medium]
	dir   string
}

// medium is the metadata of an upload.
type medium struct {
	Type string `json:"type"` // the content type
	Name string `json:"name,omitempty"`
}

func openMedia(s *store.Store, dir string) (mediaStore, error) {
	known, err := store.NewMap[medium](s, "media")
	return mediaStore{s, known, dir}, err
}

func (a *API) mediaRoutes() []route {
	return []route{
		{"POST", "/_matrix/media/v3/upload", a.upload, false},
		{"POST", "/_matrix/media/r0/upload", a.upload, false},
		{"GET", "/_matrix/media/v3/config", a.mediaConfig, false},
		{"GET", "/_matrix/media/r0/config", a.mediaConfig, false},
		{"GET", "/v1/media/config", a.mediaConfig, false},
		{"GET", "/_matrix/media/v3/download/{server}/{mediaID}", a.download, true},
		{"GET", "/_matrix/media/v3/download/{server}/{mediaID}/{name}", a.download, true},
		{"GET", "/_matrix/media/v3/thumbnail/{server}/{mediaID}", a.download, true},
		{"GET", "/v1/media/download/{server}/{mediaID}", a.download, false},
		{"GET", "/v1/media/download/{server}/{mediaID}/{name}", a.download, false},
		{"GET", "/v1/media/thumbnail/{server}/{mediaID}", a.download, false}, // the whole medium serves as its thumbnail
	}
}

func (a *API) mediaConfig(*request) (any, error) { return object{"m.upload.size": maxMedia}, nil }

func (a *API) upload(r *request) (any, error) {
	content, err := io.ReadAll(io.LimitReader(r.Body, maxMedia+1))
	if err != nil {
		return nil, rooms.Bad("M_UNKNOWN", "the upload broke off: %v", err)
	}
	if len(content) > maxMedia {
		return nil, tooLarge(maxMedia)
	}
	id := rand.Text()
	m := medium{Type: cmp.Or(r.Header.Get("Content-Type"), "application/octet-stream"), Name: r.query("filename")}
	if err := a.media.keep(id, m, content); err != nil {
		return nil, fmt.Errorf("keep an upload: %w", err)
	}
	return object{"content_uri": "mxc://" + a.Server + "/" + id}, nil
}

// keep stores an upload, its bytes first.
func (s mediaStore) keep(id string, m medium, content []byte) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, id), content, 0o600); err != nil {
		return err
	}
	return s.store.Update(func(tx *store.Tx) error {
		s.known.Put(tx, id, m)
		return nil
	})
}

// file is a response with the bytes of an upload.
type file struct {
	medium
	content []byte
}

func (f file) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", f.Type)
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	disposition := "attachment"
	if f.Name != "" {
		disposition = mime.FormatMediaType("attachment", map[string]string{"filename": f.Name})
	}
	header.Set("Content-Disposition", disposition)
	_, _ = w.Write(f.content) // the client may be gone
}

func (a *API) download(r *request) (any, error) {
	id := r.PathValue("mediaID")
	m, found := a.media.known.Get(id)
	if !found || r.PathValue("server") != a.Server {
		return nil, rooms.NotFound("there is no medium mxc://%s/%s here", r.PathValue("server"), id)
	}
	content, err := os.ReadFile(filepath.Join(a.media.dir, id))
	if err != nil {
		return nil, fmt.Errorf("read the medium %s: %w", id, err)
	}
	m.Name = cmp.Or(r.PathValue("name"), m.Name)
	return file{m, content}, nil
}
