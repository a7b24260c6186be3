package engine

import (
	"context"
	"fmt"
	"os"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
	"oras.land/oras-go/v2/registry/remote/credentials"

	"github.com/slipwayhq/slipway"
)

// Logins is a configuration file of Docker's, as docker login writes it, with the
// credentials of registries or the programs that know them; "" for none.
type Logins string

// Check reads the file.
func (l Logins) Check() error {
	if l == "" {
		return nil
	}
	if _, err := os.Stat(string(l)); err != nil {
		return fmt.Errorf("read the logins of registries: %w", err)
	}
	_, err := l.open()
	return err
}

func (l Logins) open() (*credentials.DynamicStore, error) {
	store, err := credentials.NewStore(string(l), credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the logins of registries: %w", err)
	}
	return store, nil
}

// of returns what a registry is told. The file is read each time: tokens of some
// registries are good for hours only.
func (l Logins) of(ctx context.Context, host string) (registry.AuthConfig, error) {
	if l == "" {
		return registry.AuthConfig{}, nil
	}
	store, err := l.open()
	if err != nil {
		return registry.AuthConfig{}, err
	}
	c, err := store.Get(ctx, credentials.ServerAddressFromRegistry(host))
	if err != nil {
		return registry.AuthConfig{}, fmt.Errorf("read the login of registry %s: %w", host, err)
	}
	return registry.AuthConfig{Username: c.Username, Password: c.Password, IdentityToken: c.RefreshToken, RegistryToken: c.AccessToken}, nil
}

// secretFor is what the registry of an image is told: what was given for it, or
// else the server's own login, if there is one. It goes to that registry alone.
func (e *Engine) secretFor(ctx context.Context, name reference.Named, given slipway.RegistryAuth) (string, error) {
	host := reference.Domain(name)
	auth := registry.AuthConfig{Username: given.Username, Password: given.Password}
	if given == (slipway.RegistryAuth{}) {
		var err error
		if auth, err = e.Logins.of(ctx, host); err != nil {
			return "", failure("image_denied", fmt.Sprintf("Image %s can not be asked for: %v.", reference.FamiliarString(name), err),
				"Have the server's operator look at the file that slipway server --registry-config names, or log in there again (docker login).")
		}
	}
	if auth == (registry.AuthConfig{}) {
		return "", nil
	}
	auth.ServerAddress = host
	return authconfig.Encode(auth)
}
