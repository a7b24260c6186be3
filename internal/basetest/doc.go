// Package basetest makes base images for tests from what this machine has: no
// public image can be counted on.
//
// Python has what the vendor's base image brings: CPython in /usr/local, pip,
// uv, a project in /api, and an entry point that serves LANGSERVE_GRAPHS on
// port 8000, by the LangGraph Agent Server with its runtime in memory. So the
// Dockerfile that the vendor's client writes builds on it. PlainPython is the
// same without the server. NodeServer and Node are likewise for JavaScript.
//
// A base's files are made once for what goes into them and kept in the user's
// cache folder; from there an engine has the image in seconds. Builds on them
// reach package registries as this machine does: they trust its certificates
// and use its indexes. The images are for tests on this machine alone.
package basetest
