package registry

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/slipwayhq/slipway"
)

// right is what a token is good for.
type right string

const (
	mayPush right = "push" // and pull
	mayPull right = "pull"
)

// PushToken makes a token that pushes and pulls below a deployment's prefix
// until a time, or until the deployment is deleted.
func (r *Registry) PushToken(d slipway.DeploymentID, until time.Time) string {
	return r.token(mayPush, d, until)
}

// PullToken is PushToken for pulling only.
func (r *Registry) PullToken(d slipway.DeploymentID, until time.Time) string {
	return r.token(mayPull, d, until)
}

func (r *Registry) token(may right, d slipway.DeploymentID, until time.Time) string {
	seconds := strconv.FormatInt(until.Unix(), 10)
	return strings.Join([]string{string(may), string(d), seconds, r.config.Signer.Sign(tokenMessage(string(may), string(d), seconds))}, ".")
}

// tokenMessage is what is signed; no other message of this installation begins
// so.
func tokenMessage(may, deployment, until string) string {
	return "registry/" + may + "/" + deployment + "/" + until
}

// grant is what a request's token is good for.
type grant struct {
	deployment slipway.DeploymentID
	may        right
}

// authenticate reads the token of a request. It does not look whether the
// deployment lives.
func (r *Registry) authenticate(q *http.Request) (grant, error) {
	_, password, ok := q.BasicAuth()
	if !ok {
		return grant{}, unauthorized("Log in first: docker login -u %s --password-stdin, with a token from POST /v2/deployments/{deployment_id}/push-token.", slipway.RegistryUser)
	}
	may, rest, _ := strings.Cut(strings.TrimSpace(password), ".")
	id, rest, _ := strings.Cut(rest, ".")
	until, signature, _ := strings.Cut(rest, ".")
	if !r.config.Signer.Verify(tokenMessage(may, id, until), signature) {
		return grant{}, unauthorized("This is no token of this server. Get one from POST /v2/deployments/{deployment_id}/push-token and log in with it as %s.", slipway.RegistryUser)
	}
	if seconds, err := strconv.ParseInt(until, 10, 64); err != nil || !r.config.Now().Before(time.Unix(seconds, 0)) {
		return grant{}, unauthorized("This token has expired. Get another from POST /v2/deployments/%s/push-token and log in with it.", id)
	}
	return grant{slipway.DeploymentID(id), right(may)}, nil
}

// check refuses what the token is not good for. Whether there is anything of
// that name is not said.
func (g grant) check(n name, writes bool) error {
	switch {
	case n.deployment != g.deployment:
		return denied("This token is good for %s/… only.", slipway.Repository(g.deployment))
	case writes && g.may != mayPush:
		return denied("This token is for pulling only.")
	}
	return nil
}

// alive refuses a token whose deployment is not there any more.
func (r *Registry) alive(ctx context.Context, g grant) error {
	lives, err := r.config.Lives(ctx, g.deployment)
	if err == nil && !lives {
		err = unauthorized("Deployment ID %s is deleted, and its tokens with it.", g.deployment)
	}
	return err
}
