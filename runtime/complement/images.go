package complement

// Which image each server uses.

import (
	"strings"

	"github.com/distribution/reference"
)

// ServerImage is the image that a variable sets for one server.
type ServerImage struct {
	Host     string // "hs2"
	Image    string // with a tag or digest
	Variable string // that sets it: "COMPLEMENT_BASE_IMAGE_HS2"
}

// Candidate returns the image of the homeserver under test and the variable that sets it. The variable for hs1, which
// nearly all checks use, takes precedence over the one for all servers. Both results are "" if neither is set.
func (o Options) Candidate() (image, variable string) {
	if image := o.BaseImages["hs1"]; image != "" {
		return image, baseImageVariable("hs1")
	}
	if o.BaseImage != "" {
		return o.BaseImage, strings.TrimSuffix(baseImagePrefix, "_")
	}
	return "", ""
}

// ServerImages returns the images of particular servers, in the order of their hosts. If hs1 has its own image and hs2
// does not, hs2 has BaseImage.
func (o Options) ServerImages() []ServerImage {
	var images []ServerImage
	for _, host := range []string{"hs1", "hs2"} {
		if image := o.BaseImages[host]; image != "" {
			images = append(images, ServerImage{host, tagged(image), baseImageVariable(host)})
		}
	}
	if len(images) == 1 && images[0].Host == "hs1" && o.BaseImage != "" {
		images = append(images, ServerImage{"hs2", tagged(o.BaseImage), strings.TrimSuffix(baseImagePrefix, "_")})
	}
	return images
}

// ServerVariable returns the variable that sets the image, given with its tag, for the server at host; "" if none does.
func (o Options) ServerVariable(host, image string) string {
	for _, each := range o.ServerImages() {
		if each.Host == host && each.Image == image {
			return each.Variable
		}
	}
	return ""
}

// tagged returns the name of an image with the default tag if it has none. It returns an invalid name unchanged.
func tagged(image string) string {
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return image
	}
	return reference.FamiliarString(reference.TagNameOnly(parsed))
}
