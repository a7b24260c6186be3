package conformance

import "net/http"

// extensionCases are additions of Slipway: no server needs them to keep the
// contract.
func extensionCases() []Case {
	cases := []Case{
		choice("ext", "the document is served, under both prefixes", func(t *T) {
			for _, path := range []string{"/openapi.json", "/api-host/openapi.json"} {
				t.get(path, as("")).is(http.StatusOK).matches("openapi", `^3\.1`).holds("paths./v2/deployments")
			}
		}),
	}
	for i := range cases {
		cases[i] = cases[i].with(extensions)
	}
	return cases
}
