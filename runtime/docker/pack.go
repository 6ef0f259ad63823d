// Archives of files, to be copied into containers.

package docker

import (
	"archive/tar"
	"bytes"
	"strings"
)

// packed is a file of an archive.
type packed struct {
	name string
	data []byte
}

// pack returns an archive of files in a folder (absolute, or "." for the one that the archive is copied into), with that folder and those
// above it. Everybody may read the files, as an image's server may run as any user; what is in them is made for one run.
func pack(folder string, files []packed) ([]byte, error) {
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	path := ""
	for part := range strings.SplitSeq(strings.Trim(folder, "/"), "/") {
		path += part + "/"
		if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: path, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	for _, file := range files {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: path + file.name, Mode: 0o644, Size: int64(len(file.data))}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(file.data); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}
