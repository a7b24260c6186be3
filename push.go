package slipway

import "time"

// RegistryUser is the name that clients log in to our registry with; the
// password is a token (contract §5).
const RegistryUser = "oauth2accesstoken"

// Repository is what names of a deployment's images begin with in our registry,
// after the host and without a slash at its end.
func Repository(d DeploymentID) string { return "registry/" + string(d) }

// PushToken is the right to push images for a deployment, and for no other.
type PushToken struct {
	Deployment DeploymentID
	Token      string
	ExpiresAt  time.Time
}
