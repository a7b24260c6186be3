-- Receipts of deletions are found by name, and go after a time. Those from
-- before are found by id only.

-- +goose Up
ALTER TABLE deletions ADD COLUMN name TEXT NOT NULL DEFAULT '';
CREATE INDEX deletions_named ON deletions (workspace_id, name, done_at);
CREATE INDEX deletions_done ON deletions (done_at);
