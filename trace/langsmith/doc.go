// Package langsmith serves runs to, and takes them from, the SDKs of LangSmith,
// in the part of its HTTP protocol that tracing needs (contract §9).
//
// What an SDK sends it does not keep: what is refused for good is lost to its
// user, and so is what is answered with 429. So:
//
//   - a run that is wrong is refused by itself; the others of its request are
//     kept, and the answer says which was wrong;
//   - what may go well later is answered with 408, 500 or 503, which SDKs send
//     again; what was kept then is a duplicate, which they pass over;
//   - intake never answers 404, for which SDKs give up multipart, nor 422, for
//     which they give up streaming.
//
// An answer of 202 means that the runs survive the end of the machine.
//
// Whoever asks sees the projects of one workspace; an agent, by the key that it
// was given, its own project only. Anything else does not exist for them.
package langsmith
