package complement

// Which images the variables give to which server.

import (
	"strings"

	"github.com/distribution/reference"
)

// ServerImage is the image that a variable gives one server of the suite.
type ServerImage struct {
	Host     string // "hs2"
	Image    string // with a tag or digest
	Variable string // that gives it: "COMPLEMENT_BASE_IMAGE_HS2"
}

// Candidate is the image that the variables call the homeserver under test, and which variable does: that of hs1, on which
// nearly all checks stand, before the one for all servers. Both are "" if none does.
func (o Options) Candidate() (image, variable string) {
	if image := o.BaseImages["hs1"]; image != "" {
		return image, baseImagePrefix + "HS1"
	}
	if o.BaseImage != "" {
		return o.BaseImage, strings.TrimSuffix(baseImagePrefix, "_")
	}
	return "", ""
}

// ServerImages are the images of particular servers, in the order of their hosts. Where hs1 has one of its own and hs2 has
// none, hs2 has BaseImage.
func (o Options) ServerImages() []ServerImage {
	var images []ServerImage
	for _, host := range []string{"hs1", "hs2"} {
		if image := o.BaseImages[host]; image != "" {
			images = append(images, ServerImage{host, tagged(image), baseImagePrefix + strings.ToUpper(host)})
		}
	}
	if len(images) == 1 && images[0].Host == "hs1" && o.BaseImage != "" {
		images = append(images, ServerImage{"hs2", tagged(o.BaseImage), strings.TrimSuffix(baseImagePrefix, "_")})
	}
	return images
}

// tagged is the name of an image with the tag that is meant where it has none; what is not the name of an image stays as it is.
func tagged(image string) string {
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return image
	}
	return reference.FamiliarString(reference.TagNameOnly(parsed))
}
