package langsmith

import (
	"cmp"
	"net/http"

	"github.com/slipwayhq/slipway"
)

// verdict is what an Agent Server is told of whoever asks it (contract §8).
type verdict struct {
	OrganizationID slipway.WorkspaceID `json:"organization_id"`
	TenantID       slipway.WorkspaceID `json:"tenant_id"`
	UserID         string              `json:"user_id"`
	UserEmail      *string             `json:"user_email"`
}

// verify answers an Agent Server that passes on the credentials of its client. It
// asks by these alone, so that any agent gets the same answer: the key of an
// agent, which is good for that one only, opens none.
func (h *Handler) verify(w http.ResponseWriter, r *http.Request) error {
	who, err := h.Keys.Tracer(r.Context(), h.caller(r))
	switch {
	case err != nil:
		return err
	case who.Deployment != "":
		return slipway.Errorf(slipway.CodeForbidden, "This API key belongs to an agent and is good for its traces only.")
	case !who.May(slipway.ScopeRead) && !who.May(slipway.ScopeDeploy):
		return slipway.Errorf(slipway.CodeForbidden, "The API key needs the scope read or deploy.")
	}
	organisation, err := h.Projects.Organisation(r.Context())
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, verdict{OrganizationID: organisation, TenantID: who.Workspace, UserID: cmp.Or(who.Subject, string(who.Key))})
	return nil
}
