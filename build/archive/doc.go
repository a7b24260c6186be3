// Package archive unpacks the gzip tarballs that clients upload.
//
// What it promises: nothing is written outside the folder it is given, whatever
// the tarball says; memory does not grow with the tarball; a tarball that is
// taken is one whose every byte was read and whose checksum was right. What is
// wrong with a tarball is a *slipway.Failure that names the entry; any other
// error is the machine's (a full disk, a source that can not be read).
//
// Only files and folders are taken. Sources hold no links (contract §5), so
// every kind of link is refused, and with it all that links could do.
package archive
