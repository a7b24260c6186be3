-- What is placed on a listener is due there, and not in the way here.

-- +goose Up
DROP INDEX deployments_due;
CREATE INDEX deployments_due ON deployments (next_at) WHERE lease_until = 0 AND next_at IS NOT NULL AND listener_id = '';
DROP INDEX deployments_leased;
CREATE INDEX deployments_leased ON deployments (lease_until) WHERE lease_until > 0 AND listener_id = '';
