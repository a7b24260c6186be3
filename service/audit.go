package service

import "github.com/slipwayhq/slipway"

// audit writes down, in the transaction of a deed, whose it was.
func (c *change) audit(who slipway.Principal, w slipway.WorkspaceID, action slipway.AuditAction, target string) error {
	return wrap("write audit event", c.InsertAuditEvent(slipway.AuditEvent{
		ID: slipway.NewID[slipway.AuditID](c.now), At: c.now, Workspace: w, Key: who.Key, Subject: who.Subject, Action: action, Target: target,
	}))
}
