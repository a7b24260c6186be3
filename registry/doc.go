// Package registry keeps the images that are pushed for deployments: it speaks
// the OCI distribution protocol to docker, containerd and the like, over files
// below one folder.
//
// # Promises
//
//   - Every repository is registry/<deployment>/<image>. A token is good for the
//     prefix of one deployment, while that deployment lives, until it expires.
//   - Bytes are stored once, however many deployments have them, and are seen
//     only in repositories that they were pushed to: that somebody else has a
//     layer can not be found out, and it can not be had without pushing it.
//   - A manifest is stored only when everything it refers to is there.
//   - What was answered with 201 survives the end of the machine.
//   - [Registry.Remove] ends what is being pushed below a prefix, waits for it
//     and leaves nothing of the prefix.
//
// # Folder
//
//	blobs/<2>/<hex>                    bytes by SHA-256
//	repositories/<deployment>/<image>/ ('/' in an image's name is '+' here)
//	    blobs/<hex>                    a hard link to the same bytes
//	    manifests/<hex>                a manifest
//	    tags/<tag>                     the digest of a manifest
//	    uploads/<id>                   what has arrived of a blob so far
//
// Owning is linking. A blob that was pushed to a repository is a hard link
// below it, and what nobody links to but blobs/ itself belongs to nobody. So
// there are no counts that could be wrong: taking a name away is the whole of
// letting go, and whoever links to bytes in the very moment in which they are
// collected has them all the same.
//
// # Who may die when
//
// The process may die at any instruction. A blob is received in uploads/, where
// it can be gone on with after a restart, linked from blobs/, then from its
// repository, then taken out of uploads/: after a death in between the same push
// finds what is there and does the rest. A manifest and a tag are written aside
// and renamed. What a push leaves that nobody comes back for (uploads, blobs
// without a manifest, bytes without an owner) goes with a later [Registry.Sweep].
package registry
