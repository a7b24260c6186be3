// Package secret encrypts values that leave the process only towards the
// instance that needs them. Each value is bound to the row it belongs to, so a
// ciphertext moved to another row does not open.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	keySize    = 32
	keyIDSize  = 4
	formatByte = 1
)

// ErrUnreadable means that a value was sealed with another key, for another
// row, or has been changed.
var ErrUnreadable = errors.New("secret can not be read")

// Keyring seals and opens values with AES-256-GCM. A sealed value is
// format byte, key id, nonce, ciphertext.
type Keyring struct {
	id      [keyIDSize]byte
	aead    cipher.AEAD
	signing []byte // a key of its own, derived
}

// NewKeyring makes a keyring of one 32-byte key.
func NewKeyring(key []byte) (*Keyring, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("encryption key has %d bytes, want %d", len(key), keySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(key)
	signing, err := hkdf.Expand(sha256.New, key, "slipway signed addresses", sha256.Size)
	if err != nil {
		return nil, err
	}
	return &Keyring{id: [keyIDSize]byte(sum[:keyIDSize]), aead: aead, signing: signing}, nil
}

// OpenFile reads the key from a file that only its owner may read, and makes
// the file where there is none.
func OpenFile(path string) (*Keyring, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = createKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open encryption key: %w", err)
	}
	ring, err := NewKeyring(key)
	if err != nil {
		return nil, fmt.Errorf("open encryption key %s: %w", path, err)
	}
	return ring, nil
}

// createKey writes the whole file aside and links it into place, so that a
// crash leaves either no key or a whole one.
func createKey(path string) ([]byte, error) {
	key := make([]byte, keySize)
	rand.Read(key)
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return key, os.Link(f.Name(), path)
}

// Seal encrypts a value for the row that the name identifies.
func (k *Keyring) Seal(value, row string) []byte {
	head := append([]byte{formatByte}, k.id[:]...)
	return k.aead.Seal(head, nil, []byte(value), []byte(row))
}

// Open decrypts what Seal made for the same row.
func (k *Keyring) Open(sealed []byte, row string) (string, error) {
	if len(sealed) < 1+keyIDSize || sealed[0] != formatByte || [keyIDSize]byte(sealed[1:1+keyIDSize]) != k.id {
		return "", fmt.Errorf("%w: it was sealed with another key", ErrUnreadable)
	}
	value, err := k.aead.Open(nil, nil, sealed[1+keyIDSize:], []byte(row))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return string(value), nil
}

// Sign returns a signature that only this key can make.
func (k *Keyring) Sign(message string) string {
	mac := hmac.New(sha256.New, k.signing)
	mac.Write([]byte(message))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Verify says whether Sign made the signature for the message.
func (k *Keyring) Verify(message, signature string) bool {
	return hmac.Equal([]byte(k.Sign(message)), []byte(signature))
}
