// Package certificate has certificates for the names that a server is reached
// by: from files of its operator, or from a certificate authority by ACME when
// a name is first asked for.
//
// # What it promises
//
//   - A certificate is asked for only for a name that [Config.Decide] lets pass.
//     Others are refused before the authority or the disk hears of them.
//   - What the authority is asked is bounded: a few names at once, then few an
//     hour, and after a failure of a name the longer the more often it failed. A
//     handshake in between fails at once and is no question.
//   - A certificate that is still good is served while another is obtained, and
//     when that fails. A handshake waits for the authority only if there is none
//     or none that is good any more.
//   - What was obtained lies below a folder, keys readable by their owner alone,
//     and is found there by the next start.
//   - A client that gives up its handshake does not end what was begun for it.
//   - Files that are changed are read again at the next handshake. Those that
//     can not be read, or do not fit together, leave the old ones in use.
package certificate
