package js

import "regexp"

func line(pattern string) *regexp.Regexp { return regexp.MustCompile(pattern) }

// npm gives each error a code of its own, on a line of its own. Its code says
// less than the words, as does where in npm it happened; a label before the
// words only repeats the code.
var npmSpeech = speech{
	mark:   line(`^npm (?:error|ERR!) ?(?:(?:notarget|404|network|nospc|ERESOLVE|audit)(?: +|$))?`),
	noise:  line(`^(code |errno |syscall |path |at |\w+: ('.*'|\d+),?$|}|$)`),
	hidden: line(`^(A complete log of this run|Log files were not written)`),
	help:   line(`^(Usage:|Clean install a project)`),
	rules: []rule{
		{line(`^npm (?:error|ERR!) code (ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|E5\d\d)$`), unreachable},
		{line(`^npm (?:error|ERR!) code (E404|ETARGET|ENOVERSIONS)$`), notThere},
		{line(`^npm (?:error|ERR!) code (E401|E403|ENEEDAUTH)$`), denied},
		{line(`^npm (?:error|ERR!) code ERESOLVE$`), conflict},
		{line(`^npm (?:error|ERR!) code EINTEGRITY$`), tampered},
		{line(`^npm (?:error|ERR!) code EUSAGE$`), refusedLock("npm install", "package-lock.json")},
		{line(`^npm (?:error|ERR!) code EBADENGINE$`), engine},
	},
}

// yarn says error before version 2, and gives codes from then on. Its codes for
// progress and for advice are not among its errors.
var yarnSpeech = speech{
	mark:  line(`^(?:error |➤ YN(?:0001|0009|0016|0018|0027|0028|0035|0041|0046|0047|0071|0074|0078|0080|0081|0082|0083|0090): [│┌└·]? *|(?:Usage|Internal|Syntax) Error: )`),
	noise: line(`^(Found incompatible module|at |[-+]|Request (Method|Retry)|$)`),
	rules: []rule{
		{line(`Integrity check failed|^➤ YN0018: `), tampered},
		{line(`lockfile needs to be updated|lockfile would have been (modified|created)|in .*yarn\.lock$|^YAMLException|Syntax Error.*yarn\.lock`), refusedLock("yarn install", "yarn.lock")},
		{line(`[Ee]ngine "?node"? is incompatible`), engine},
		{line(`^➤ YN0041: |\b40[13] ?\(?(Unauthorized|Forbidden)|Request failed "40[13]|returned a 40[13]$`), denied},
		{line(`Couldn't find (package|any versions)|^➤ YN0082: |YN0035: .*(Package not found|404)|^error .*: Not found$`), notThere},
		{line(`in JSON at position .*package\.json|package\.json: .*in JSON`), badManifest},
		{network, unreachable},
		{line(`Request failed "5\d\d|returned a 5\d\d$`), unreachable},
	},
}

// pnpm gives codes, and explains each in the lines that follow.
var pnpmSpeech = speech{
	mark:  line(`^[ \x{2009}]*(?:ERR_PNPM_[A-Z0-9_]+|\[?ERR_PNPM_[A-Z0-9_]+\]?|ERROR)[ \x{2009}]+`),
	noise: line(`^(Note that in CI environments|This error happened while|These authorization settings|No authorization header|@jsr:|If you |Failure reason:|at |$)`),
	rest:  true,
	rules: []rule{
		{line(`ERR_PNPM_TARBALL_INTEGRITY`), tampered},
		{line(`ERR_PNPM_(OUTDATED_LOCKFILE|LOCKFILE_BREAKING_CHANGE|BROKEN_LOCKFILE|NO_LOCKFILE|LOCKFILE_CONFIG_MISMATCH|FROZEN_LOCKFILE\w*|LOCKFILE_MISSING_DEPENDENCY)`), refusedLock("pnpm install", "pnpm-lock.yaml")},
		{line(`ERR_PNPM_UNSUPPORTED_ENGINE`), engine},
		{line(`ERR_PNPM_PEER_DEP_ISSUES`), conflict},
		{line(`ERR_PNPM_FETCH_40[13]`), denied},
		{line(`ERR_PNPM_(FETCH_404|NO_MATCHING_VERSION\w*|NO_VERSIONS|WORKSPACE_PKG_NOT_FOUND|NO_PKG_MANIFEST)`), notThere},
		{line(`while parsing .*package\.json|ERR_PNPM_JSON_PARSE`), badManifest},
		{line(`ERR_PNPM_(META_FETCH_FAIL|FETCH_5\d\d)`), unreachable},
		{network, unreachable},
	},
}

// bun says error, with no codes.
var bunSpeech = speech{
	mark:  line(`^(?:error: |ParserError: )`),
	noise: line(`failed to resolve$|^$`),
	rest:  true,
	rules: []rule{
		{line(`Integrity ?[Cc]heck ?[Ff]ailed`), tampered},
		{line(`lockfile had changes|failed to parse lockfile|Invalid lockfile`), refusedLock("bun install", "bun.lock")},
		{line(` - 40[13]$`), denied},
		{line(` - 404$|No version matching|Workspace dependency .* not found`), notThere},
		{line(`failed to parse '.*package\.json'`), badManifest},
		{network, unreachable},
		{line(` - 5\d\d$`), unreachable},
	},
}
