package js

import (
	"errors"
	"strings"
	"testing"

	"github.com/slipwayhq/slipway"
)

// What the package managers were heard to say, word for word but for places.
func TestExplainOthers(t *testing.T) {
	cases := map[string]struct {
		dialect *dialect
		said    string
		code    string
		message string
	}{
		"yarn 1, lock":      {&yarn, "yarn install v1.22.22\n[1/4] Resolving packages...\nerror Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`.\ninfo Visit https://x", "lock_refused", "Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`."},
		"yarn 1, package":   {&yarn, "error Couldn't find package \"x\" on the \"npm\" registry.", "dependency_not_found", `Couldn't find package "x" on the "npm" registry.`},
		"yarn 1, version":   {&yarn, "error Couldn't find any versions for \"ms\" that matches \"99.0.0\"", "dependency_not_found", `that matches "99.0.0"`},
		"yarn 1, network":   {&yarn, "error Error: connect ECONNREFUSED 127.0.0.1:1\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)", "registry_unreachable", "Error: connect ECONNREFUSED 127.0.0.1:1"},
		"yarn 1, denied":    {&yarn, "error Error: http://r/x: Request \"http://r/x\" returned a 403\n    at a (b.js:1:2)", "registry_denied", `returned a 403`},
		"yarn 1, down":      {&yarn, "            throw new ResponseError(1);\n\nResponseError: Request failed \"500 Internal Server Error\"\n    at x", "registry_unreachable", ""},
		"yarn 1, integrity": {&yarn, "error https://r/ms-2.1.3.tgz: Integrity check failed for \"ms\" (computed integrity doesn't match our records, got \"x\")", "integrity_mismatch", ""},
		"yarn 1, engine":    {&yarn, "error app@: The engine \"node\" is incompatible with this module. Expected version \">=99\". Got \"20.20.2\"\nerror Found incompatible module.", "engine_mismatch", `Got "20.20.2"`},
		"yarn 1, manifest":  {&yarn, "error SyntaxError: /x/package.json: Expected property name or '}' in JSON at position 2\n    at JSON.parse (<anonymous>)", "package_json_invalid", ""},
		"yarn 1, bad lock":  {&yarn, "error SyntaxError: Unknown token: { line: 1, col: 0 } 1:0 in /x/yarn.lock", "lock_refused", ""},
		"yarn, lock":        {&yarn, "➤ YN0000: · Yarn 4.18.1\n➤ YN0085: │ + ms@npm:2.1.2\n➤ YN0028: │ -    ms: \"npm:2.1.3\"\n➤ YN0028: │ +    ms: \"npm:2.1.2\"\n➤ YN0028: │ The lockfile would have been modified by this install, which is explicitly forbidden.\n➤ YN0000: · Failed with errors in 0s 104ms", "lock_refused", ": The lockfile would have been modified by this install, which is explicitly forbidden."},
		"yarn, version":     {&yarn, "➤ YN0082: │ ms@npm:99.0.0: No candidates found", "dependency_not_found", ": ms@npm:99.0.0: No candidates found"},
		"yarn, package":     {&yarn, "➤ YN0035: │ x@npm:2.0.5: Package not found\n➤ YN0035: │   Response Code: 404 (Not Found)\n➤ YN0035: │   Request Method: GET", "dependency_not_found", "Response Code: 404 (Not Found)"},
		"yarn, denied":      {&yarn, "➤ YN0041: │ x@npm:2.0.5: Invalid authentication (as an anonymous user)", "registry_denied", ""},
		"yarn, forbidden":   {&yarn, "➤ YN0035: │ x@npm:2.0.5: The remote server failed to provide the requested resource\n➤ YN0035: │   Response Code: 403 (Forbidden)", "registry_denied", ""},
		"yarn, down":        {&yarn, "➤ YN0035: │ x@npm:2.0.5: The registry appears to be down (using a local cache might have protected you against such outages)", "registry_unreachable", ""},
		"yarn, network":     {&yarn, "➤ YN0001: │ RequestError: connect ECONNREFUSED 127.0.0.1:1\n    at ClientRequest.<anonymous> (/x.js:148:14258)", "registry_unreachable", ": RequestError: connect ECONNREFUSED 127.0.0.1:1"},
		"yarn, integrity":   {&yarn, "➤ YN0018: │ ms@npm:2.1.3: The remote archive doesn't match the expected checksum", "integrity_mismatch", ""},
		"yarn, warnings":    {&yarn, "➤ YN0002: │ a@workspace:. doesn't provide zod (p1), requested by b.\n➤ YN0082: │ c: No candidates found", "dependency_not_found", ": c: No candidates found"},
		"pnpm, lock":        {&pnpm, " ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with \"frozen-lockfile\" because pnpm-lock.yaml is not up to date with <ROOT>/package.json\n\nNote that in CI environments this setting is true by default.\n\n  Failure reason:\n  specifiers in the lockfile don't match specifiers in package.json:\n* 1 dependencies are mismatched:\n  - ms (lockfile: 2.1.3, manifest: 2.1.2)", "lock_refused", "* 1 dependencies are mismatched:\n- ms (lockfile: 2.1.3, manifest: 2.1.2)"},
		"pnpm, bad lock":    {&pnpm, " ERR_PNPM_BROKEN_LOCKFILE  The lockfile at \"/x\" is broken: unexpected end", "lock_refused", ""},
		"pnpm, package":     {&pnpm, " ERR_PNPM_FETCH_404  GET https://r/x: Not Found - 404\n\nThis error happened while installing a direct dependency of /y", "dependency_not_found", ": GET https://r/x: Not Found - 404"},
		"pnpm, version":     {&pnpm, " ERR_PNPM_NO_MATCHING_VERSION  No matching version found for ms@99.0.0 while fetching it from https://r/", "dependency_not_found", ""},
		"pnpm, denied":      {&pnpm, " ERR_PNPM_FETCH_401  GET http://r/x: Unauthorized - 401\n\nNo authorization header was set for the request.", "registry_denied", "Unauthorized - 401"},
		"pnpm, network":     {&pnpm, " ERR_PNPM_META_FETCH_FAIL  GET http://127.0.0.1:1/x: request to http://127.0.0.1:1/x failed, reason: connect ECONNREFUSED 127.0.0.1:1", "registry_unreachable", ""},
		"pnpm, down":        {&pnpm, " ERR_PNPM_FETCH_500  GET http://r/x: Internal Server Error - 500", "registry_unreachable", ""},
		"pnpm, integrity":   {&pnpm, " ERR_PNPM_TARBALL_INTEGRITY  Got unexpected checksum for \"x\".", "integrity_mismatch", ""},
		"pnpm, engine":      {&pnpm, " ERR_PNPM_UNSUPPORTED_ENGINE  Unsupported environment (bad pnpm and/or Node.js version)", "engine_mismatch", ""},
		"pnpm, peers":       {&pnpm, " ERR_PNPM_PEER_DEP_ISSUES  Unmet peer dependencies", "dependency_conflict", ""},
		"bun, lock":         {&bun, "error: lockfile had changes, but lockfile is frozen\nnote: dependencies in package.json changed since bun.lock was saved: ms changed from 2.1.3 to 2.1.2", "lock_refused", "ms changed from 2.1.3 to 2.1.2"},
		"bun, package":      {&bun, "error: GET https://r/x - 404\nerror: x@1.0.0 failed to resolve", "dependency_not_found", ": GET https://r/x - 404"},
		"bun, version":      {&bun, "error: No version matching \"99.0.0\" found for specifier \"ms\" (but package exists)\nerror: ms@99.0.0 failed to resolve", "dependency_not_found", "(but package exists)"},
		"bun, denied":       {&bun, "error: GET http://r/x - 401", "registry_denied", ""},
		"bun, network":      {&bun, "error: ConnectionRefused downloading package manifest x", "registry_unreachable", ""},
		"bun, down":         {&bun, "error: GET http://r/x - 500", "registry_unreachable", ""},
		"bun, integrity":    {&bun, "error: Integrity check failed for tarball: ms\nerror: IntegrityCheckFailed extracting tarball from ms", "integrity_mismatch", ""},
		"bun, manifest":     {&bun, "error: Expected \"}\" but found end of file\n    at /x/package.json:1:2\nParserError: failed to parse '/x/package.json'", "package_json_invalid", ""},
		"disk":              {&yarn, "error An unexpected error occurred: \"ENOSPC: no space left on device, write\".", "disk_full", ""},
		"memory":            {&pnpm, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n----- Native stack trace -----", "out_of_memory", ""},
		"something else":    {&bun, "Segmentation fault", "install_failed", "Segmentation fault"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			said := output{speech: c.dialect.speech, exit: 1}
			for line := range strings.Lines(c.said) {
				said.add(strings.TrimSuffix(line, "\n"))
			}
			f, ok := errors.AsType[*slipway.Failure](said.explain("it", true, nil))
			if !ok || f.Code != c.code || !strings.HasSuffix(f.Message, c.message) || *f.Exit != 1 || f.Step != "install" {
				t.Errorf("got %+v", f)
			}
		})
	}
}

// A command of the client's says in its own words what went wrong; only what may
// happen to any program has another code.
func TestCommandsAreExplained(t *testing.T) {
	for said, code := range map[string]string{
		"error TS2304: Cannot find name 'x'.":                     "build_failed",
		"FATAL ERROR: heap limit - JavaScript heap out of memory": "out_of_memory",
		"Error: ENOSPC: no space left on device, write":           "disk_full",
		"npm error code E404":                                     "build_failed",
		"sh: 1: turbo: not found":                                 "build_failed",
	} {
		o := output{speech: npmSpeech, exit: 134}
		o.add(said)
		f, ok := errors.AsType[*slipway.Failure](o.ended(ordered{step: "build", code: "build_failed", text: "x"}))
		if !ok || f.Code != code || f.Step != "build" || *f.Exit != 134 || !strings.HasPrefix(f.Message, "The build command ended with exit code 134: ") {
			t.Errorf("%s: %+v", said, f)
		}
	}
	if err := new(output).ended(ordered{}); err != nil {
		t.Errorf("a good end is %v", err)
	}
}
