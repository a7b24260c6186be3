package service

import "github.com/slipwayhq/slipway"

// audit writes down, in the transaction of a deed, whose it was.
func (c *change) audit(who slipway.Principal, w slipway.WorkspaceID, action slipway.AuditAction, target string) error {
	return wrap("write audit event", c.InsertAuditEvent(slipway.AuditEvent{
		ID: slipway.NewID[slipway.AuditID](c.now), At: c.now, Workspace: w, Key: who.Key, Subject: who.Subject, Action: action, Target: target,
	}))
}

// auditProtection writes down whether a deployment has come to be protected from
// deletion, or is not any more.
func (c *change) auditProtection(who slipway.Principal, d slipway.Deployment, before bool) error {
	switch {
	case d.Protected == before:
		return nil
	case d.Protected:
		return c.audit(who, d.Workspace, slipway.AuditProtected, string(d.ID))
	}
	return c.audit(who, d.Workspace, slipway.AuditUnprotected, string(d.ID))
}

// auditAccess writes down whether a deployment has come to be everybody's, or is
// not any more.
func (c *change) auditAccess(who slipway.Principal, d slipway.Deployment, before slipway.Access) error {
	switch open := d.Config.Access == slipway.AccessPublic; {
	case open == (before == slipway.AccessPublic):
		return nil
	case open:
		return c.audit(who, d.Workspace, slipway.AuditOpened, string(d.ID))
	}
	return c.audit(who, d.Workspace, slipway.AuditClosed, string(d.ID))
}
