package slipway

import "time"

// MaxUpload is the size of an uploaded source that is accepted, in bytes
// (contract §5).
const MaxUpload = 200 << 20

// Upload is a place for one source tarball.
type Upload struct {
	ID         UploadID
	Deployment DeploymentID
	Object     string // the contract's object_path
	Digest     string // SHA-256 of what arrived, hex; "" until it has
	Tree       string // digest of the files in it, hex; "" if they could not be read
	Size       int64
	CreatedAt  time.Time
	ExpiresAt  time.Time // of the address; the object itself stays
}
