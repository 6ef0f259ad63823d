package complement

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhichServerIsMadeOfWhichImage(t *testing.T) {
	const all, one, two = "COMPLEMENT_BASE_IMAGE", "COMPLEMENT_BASE_IMAGE_HS1", "COMPLEMENT_BASE_IMAGE_HS2"
	for _, each := range []struct {
		environment []string
		candidate   string
		servers     []ServerImage
	}{
		{},
		{[]string{all + "=a"}, "a", nil},
		{[]string{one + "=b"}, "b", []ServerImage{{"hs1", "b:latest", one}}},
		{[]string{two + "=c:1"}, "", []ServerImage{{"hs2", "c:1", two}}},
		{[]string{all + "=a", two + "=c:1"}, "a", []ServerImage{{"hs2", "c:1", two}}},
		{[]string{all + "=a", one + "=b"}, "b", []ServerImage{{"hs1", "b:latest", one}, {"hs2", "a:latest", all}}},
		{[]string{all + "=a", one + "=b", two + "=c"}, "b", []ServerImage{{"hs1", "b:latest", one}, {"hs2", "c:latest", two}}},
		{[]string{all + "_hs2=c", all + "_HS9=d"}, "", []ServerImage{{"hs2", "c:latest", two}}},
		{[]string{two + "=No Image"}, "", []ServerImage{{"hs2", "No Image", two}}},
	} {
		options, err := FromEnvironment(each.environment)
		require.NoError(t, err)
		candidate, _ := options.Candidate()
		assert.Equal(t, each.candidate, candidate, "%q", each.environment)
		assert.Equal(t, each.servers, options.ServerImages(), "%q", each.environment)
	}
}
