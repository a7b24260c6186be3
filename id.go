package slipway

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Identities are UUIDs in their canonical text form. They are typed so that a
// revision can not be passed for a deployment.
type (
	WorkspaceID  string
	DeploymentID string
	RevisionID   string
	InstanceID   string
	ProjectID    string
	SecretSetID  string
	UploadID     string
	KeyID        string
	AuditID      string
	ListenerID   string
)

// NewID makes a version 7 UUID: unique, and ordered by time so that indexes
// grow at their end.
func NewID[T ~string](now time.Time) T {
	var b [16]byte
	rand.Read(b[:])
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16|uint64(b[6])<<8|uint64(b[7]))
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	text := make([]byte, 36)
	hex.Encode(text, b[:4])
	hex.Encode(text[9:], b[4:6])
	hex.Encode(text[14:], b[6:8])
	hex.Encode(text[19:], b[8:10])
	hex.Encode(text[24:], b[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return T(text)
}

// IsID says whether a text has the form of an identity, and so can be one.
func IsID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}
